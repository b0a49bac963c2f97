"""Keep networks from running in a forked child process.

PyTorch, OpenVINO and ONNX Runtime keep threads and locks in the process that uses them. A fork
copies the locks but not the threads, so that a network in the child hangs or crashes.
"""

import os

from dover_plugin.errors import EngineError

_owner: int | None = None  # id of the process that made the first engine


def check_process() -> None:
    """Raise EngineError if a parent of this process has made an engine; else claim the process.

    Every engine calls this when it is made and before it runs a network.
    """
    global _owner
    if _owner is None:
        _owner = os.getpid()
    elif _owner != os.getpid():
        raise EngineError(
            f"Process {os.getpid()} was forked from process {_owner}, which has made a Scorer; "
            "networks cannot run after a fork. Start processes with "
            "multiprocessing.get_context('spawn'), make the first Scorer after the fork, or only "
            "read there with dover_plugin.read."
        )
