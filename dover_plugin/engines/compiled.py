"""Graphs of networks on disk, so that only the first start has to make them."""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

import dover_plugin
from dover_plugin import networks
from dover_plugin.engines import export
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.weights.store import cache_dir

log = logging.getLogger(__name__)


@contextmanager
def graphs(network: Dover, weights_sha256: str) -> Iterator[dict[str, Path]]:
    """One ONNX file per branch, in a folder where engines may keep files of their own.

    They lie in the cache beside the weights, under a key of the weights and of what made them.
    Where the cache cannot be written they are made for this time only.

    Args:
        network: in evaluation mode, float32, on the CPU.
        weights_sha256: of its weights.

    Yields:
        The file of each branch, whose input and output are those of export_onnx. While it is used
        other processes wait.
    """
    folder = cache_dir() / "compiled" / _key(weights_sha256)
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK) or not _complete(folder):
                held.enter_context(FileLock(folder.with_name(f"{folder.name}.lock")))
            files = _make(network, folder)
        except OSError as error:
            log.warning("Cannot keep compiled networks in '%s' (%s).", folder, error)
            temporary = held.enter_context(tempfile.TemporaryDirectory(prefix="dover-"))
            files = _make(network, Path(temporary))
        yield files


def unloadable(engine: str, file: Path, error: Exception) -> str:
    """What to say where an engine refuses a graph."""
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return (
        f"{engine} cannot load '{file}' ({reason}). Delete the folder '{file.parent}', which is "
        "then made again, or use the engine 'torch'."
    )


def _files(folder: Path) -> dict[str, Path]:
    return {branch: folder / f"{branch}.onnx" for branch in BRANCHES}


def _complete(folder: Path) -> bool:
    return all(file.exists() for file in _files(folder).values())


def _make(network: Dover, folder: Path) -> dict[str, Path]:
    files = _files(folder)
    if not _complete(folder):
        import onnx
        from onnx.utils import Extractor

        log.info("Compiling the network into '%s', once.", folder)
        for left in folder.glob("tmp*"):  # by an earlier start that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            whole = Path(temporary) / "network.onnx"
            export.export_onnx(network, whole, {})
            extractor = Extractor(onnx.load(whole))
            for branch, file in files.items():
                part = extractor.extract_model([f"{branch}_view"], [f"{branch}_map"])
                onnx.save(part, Path(temporary) / file.name)
                (Path(temporary) / file.name).replace(file)
    return files


def _key(weights_sha256: str) -> str:
    """Of everything that a graph depends on: weights, versions, and the source of the networks."""
    digest = hashlib.sha256()
    versions = (version(name) for name in ("torch", "onnx", "onnxscript"))
    for part in (weights_sha256, dover_plugin.__version__, *versions):
        digest.update(part.encode())
    sources = sorted(Path(os.fspath(networks.__path__[0])).glob("*.py"))
    for source in (*sources, Path(export.__file__), Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]
