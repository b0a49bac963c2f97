"""Cache of compiled graphs, so that only the first start exports a network."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import dover_plugin
from dover_plugin.errors import SettingsError
from dover_plugin.io.json_object import read_json_object
from dover_plugin.io.write import write_text
from dover_plugin.preprocessing.sampling_rule import DOVER, Branch, SamplingRule
from dover_plugin.weights.download import sha256_of
from dover_plugin.weights.lock import locked
from dover_plugin.weights.store import cache_dir

if TYPE_CHECKING:
    from dover_plugin.networks import Dover

LOCK_SECONDS = 300.0  # longest wait for another process that compiles the same network
HASHES = "sha256.json"  # hash of every other file in the folder, by its relative path

log = logging.getLogger(__name__)


@contextmanager
def graphs(
    load: "Callable[[], Dover]", model: str, weights_sha256: str, rule: SamplingRule = DOVER
) -> Iterator[dict[Branch, Path]]:
    """Provide one ONNX file per branch, in a folder where engines may cache files of their own.

    The folder is in the cache, under a key of the weights and of everything else that determines
    the graphs. Files that do not match the hashes stored when they were written are deleted and
    made again. If the cache cannot be used, a temporary folder takes its place.

    Args:
        load: makes the network in evaluation mode, float32, on the CPU. It is not called if the
            graphs are in the cache, and torch is not imported then.
        model: name of the model.
        weights_sha256: hash of its weights.
        rule: what the network sees; there is one file for each of its branches.

    Yields:
        The file of each branch; its inputs and outputs are those of export_onnx. Other processes
        wait until the block ends, at most LOCK_SECONDS.
    """
    folder = cache_folder() / _key(model, rule, weights_sha256)
    with ExitStack() as held:
        try:
            files = _cached(load, rule, folder, held)
        except (OSError, SettingsError) as error:
            log.warning(
                "Cannot keep compiled networks in '%s' (%s); compiling for this run only.",
                folder,
                error,
            )
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="dover-")))
            files = _make(load(), rule, folder)
        before = _contents(folder)
        yield files
        if _contents(folder) != before:  # the engine has cached files of its own
            try:
                _store_hashes(folder)
            except (OSError, SettingsError) as error:  # they are deleted at the next start
                log.warning("Cannot store the hashes of '%s' (%s).", folder, error)


def cache_folder() -> Path:
    """Folder that holds one folder per compiled network."""
    return cache_dir() / "compiled"


def damaged_files() -> list[Path]:
    """Files of all compiled networks that do not match their stored hashes."""
    return [
        file
        for folder in sorted(cache_folder().glob("*/"))
        if (folder / HASHES).is_file()
        for file in _unverified(folder)
    ]


def unloadable(engine: str, file: Path, error: Exception) -> str:
    """Message for an engine that cannot load a graph."""
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return (
        f"{engine} cannot load '{file}' ({reason}). Delete the folder '{file.parent}' to compile "
        "the network again, or use the engine 'torch'."
    )


def _cached(
    load: "Callable[[], Dover]", rule: SamplingRule, folder: Path, held: ExitStack
) -> dict[Branch, Path]:
    """The files of ``folder``, verified or made; ``held`` takes the lock.

    Raises:
        OSError: the folder cannot be written, or another process keeps its lock.
        SettingsError: the hashes cannot be written.
    """
    files = _files(rule, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        lock = folder.with_name(f"{folder.name}.lock")
        held.enter_context(locked(lock, "compiles or loads this network", LOCK_SECONDS))
        for left in folder.glob("tmp*"):  # from a start that was killed
            shutil.rmtree(left, ignore_errors=True)
        for file in _unverified(folder):
            log.warning("Deleting '%s', which does not match its stored SHA-256.", file)
            file.unlink()
    elif not _complete(files) or _unverified(folder):
        raise PermissionError("the folder is read-only and its files do not match their SHA-256")
    if _complete(files):
        return files
    log.info("Compiling the network into '%s'.", folder)
    return _make(load(), rule, folder)


def _make(network: "Dover", rule: SamplingRule, folder: Path) -> dict[Branch, Path]:
    import onnx
    from onnx.utils import Extractor

    from dover_plugin.engines import export

    files = _files(rule, folder)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        whole = Path(temporary) / "network.onnx"
        export.export_onnx(network, whole, {})
        extractor = Extractor(onnx.load(whole))
        for branch, file in files.items():
            part = extractor.extract_model([f"{branch}_view"], [f"{branch}_map"])
            onnx.save(part, Path(temporary) / file.name)
            (Path(temporary) / file.name).replace(file)
    _store_hashes(folder)
    return files


def _files(rule: SamplingRule, folder: Path) -> dict[Branch, Path]:
    return {branch: folder / f"{branch}.onnx" for branch in rule.branches}


def _complete(files: Mapping[Branch, Path]) -> bool:
    return all(file.is_file() for file in files.values())


def _unverified(folder: Path) -> list[Path]:
    """Files whose SHA-256 is not the stored one, or that have none."""
    try:
        stored = read_json_object(folder / HASHES)
    except (OSError, ValueError, SettingsError):
        stored = {}
    return [
        file
        for file in _contents(folder)
        if not file.is_file() or stored.get(_name(file, folder)) != sha256_of(file)
    ]


def _store_hashes(folder: Path) -> None:
    hashes = {_name(file, folder): sha256_of(file) for file in _contents(folder)}
    write_text(folder / HASHES, json.dumps(hashes, indent=1))


def _contents(folder: Path) -> list[Path]:
    """Everything below ``folder`` but folders and the stored hashes."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file != folder / HASHES and (file.is_symlink() or not file.is_dir())
    ]


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _key(model: str, rule: SamplingRule, weights_sha256: str) -> str:
    """Hash of all that determines graphs: weights, branches, versions, source of the networks."""
    digest = hashlib.sha256()
    versions = (version(name) for name in ("torch", "onnx", "onnxscript"))
    for part in (model, repr(rule), weights_sha256, dover_plugin.__version__, *versions):
        digest.update(part.encode())
    here = Path(__file__)
    sources = sorted((here.parents[1] / "networks").glob("*.py"))
    for source in (*sources, here.with_name("export.py"), here):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]
