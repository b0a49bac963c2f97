"""Graphs of networks on disk, so that only the first start has to make them."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock

import dover_plugin
from dover_plugin import networks
from dover_plugin.engines import export
from dover_plugin.networks import Dover
from dover_plugin.weights import cache_dir

BRANCHES = ("technical", "aesthetic")
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        log.warning("Cannot keep compiled networks in '%s' (%s).", folder, error.strerror)
        with tempfile.TemporaryDirectory(prefix="dover-") as temporary:
            yield _make(network, Path(temporary))
    else:
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            yield _make(network, folder)


def _make(network: Dover, folder: Path) -> dict[str, Path]:
    files = {branch: folder / f"{branch}.onnx" for branch in BRANCHES}
    if not all(file.exists() for file in files.values()):
        import onnx
        from onnx.utils import Extractor

        log.info("Compiling the network into '%s', once.", folder)
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
    for part in (weights_sha256, dover_plugin.__version__, torch.__version__):
        digest.update(part.encode())
    sources = sorted(Path(os.fspath(networks.__path__[0])).glob("*.py"))
    for source in (*sources, Path(export.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]
