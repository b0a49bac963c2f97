"""score_videos, scheduled and run by ``fiftyone delegated launch``."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fo_helpers import PLUGIN, ROOT

FIFTYONE = Path(sys.executable).parent / "fiftyone"


def test_a_scheduled_run(dataset: Any, weights: str, tmp_path: Path) -> None:
    import fiftyone.operators as foo
    import fiftyone.operators.delegated as food

    chosen = {"absolute_path": weights}  # as the file chooser gives it
    params = {"advanced": True, "weights": chosen, "segments": True, "seconds": 1}
    context = {"dataset": dataset, "params": params, "request_delegation": True}
    queued = foo.execute_operator(f"{PLUGIN}/score_videos", ctx=context)
    assert queued.delegated
    service = food.DelegatedOperationService()
    log = (tmp_path / "log").open("w")
    launch = [FIFTYONE, "delegated", "launch", "-t", "local"]
    worker = subprocess.Popen(launch, cwd=ROOT, env=os.environ, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 200
        while time.monotonic() < end:
            [operation] = service.list_operations(dataset_name=dataset.name)
            if operation.run_state in ("completed", "failed"):
                break
            time.sleep(1)
    finally:
        worker.terminate()
        worker.wait(30)
    assert operation.run_state == "completed", operation.result
    found = operation.result.result
    assert (found["scored"], found["failed"]) == (6, 1)
    [failure] = found["failures"]
    assert failure["path"].endswith("broken.mp4")
    assert operation.status.progress == 1
    assert operation.status.label == "7 of 7: 6 scored, 1 failed"
    dataset.reload()
    assert dataset.count("dover.overall") == 6
    assert dataset.count("dover_segments.detections") == 12
