"""Many videos on a cluster: Ray Data reads on CPUs, scores in actors, writes Parquet shards.

Reading happens in processes of its own, as on one machine, so that a file that crashes its decoder
becomes a row and not the end of a job. A shard is written whole; a run that was stopped goes on
with the videos that no shard holds.
"""

import os
import pickle
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import ray

from dover_plugin.batch.journal import Stamp, settings_mismatch, stamp_of
from dover_plugin.batch.tables import ALL_COLUMNS, rows_to_arrow, storable
from dover_plugin.errors import DoverError, EngineError, SettingsError, VideoError
from dover_plugin.io.files import VIDEO_SUFFIXES
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews
from dover_plugin.scorer import Scorer
from dover_plugin.scores import Failure, Result

BLOCK = 8  # videos that a reader takes at once
MAX_BLOCKS = 20_000  # which the scheduler still keeps track of
LOOKUPS = 32  # at a time
SHARD = 256  # rows of a file, at least; so many are done again after a kill


@dataclass(frozen=True)
class Cluster:
    """How a job is spread.

    Attributes:
        readers: actors that read, a CPU each; None for as many as there are CPUs to spare.
        scorers: actors that hold the model, a CPU each if they have no GPU.
        gpus: that each of these reserves, which may be a share of one; 0 for a CPU.
        shard: rows of a file, at least.
    """

    readers: int | None = None
    scorers: int = 1
    gpus: float = 0.0
    shard: int = SHARD


def score_on_ray(
    videos: Sequence[str],
    output: str,
    settings: Mapping[str, Any],
    *,
    cluster: Cluster | None = None,
    limits: Limits | None = None,
    retry_failed: bool = False,
) -> int:
    """Score what the shards in ``output`` do not hold.

    Ray is used as it is: call ray.init before, with the address of a cluster.

    Args:
        videos: paths, or URIs of any filesystem of pyarrow, as s3://bucket/clip.mp4.
        output: a folder or its URI.
        settings: arguments of Scorer; ``device`` is that of the actors.
        cluster: how it is spread.
        limits: of a process that reads.
        retry_failed: do again what failed before.

    Returns:
        How many videos were scored now, failures among them.

    Raises:
        SettingsError: the folder holds scores of other settings, or settings that make no sense.
        EngineError: a network could not be run, or the cluster failed.
    """
    cluster, limits = cluster or Cluster(), limits or Limits()
    scorer = _like_actors(settings)
    settings = _for_actors(settings, scorer)
    _check_room(cluster)
    missing = _missing(videos, _done(output, scorer, retry_failed=retry_failed))
    if not missing:
        return 0
    how = ReadOptions(scorer.decoder, scorer.settings.seed, scorer.settings.repeats)
    blocks = min(MAX_BLOCKS, -(-len(missing) // BLOCK))
    readers = (
        ray.data.ActorPoolStrategy(min_size=1)
        if cluster.readers is None
        else ray.data.ActorPoolStrategy(size=cluster.readers)
    )
    # A file that hangs makes no progress until its time is up, which is no reason to stop.
    ray.data.DataContext.get_current().execution_no_progress_timeout_s = -1
    job = (
        ray.data.from_items([{"path": path} for path in missing], override_num_blocks=blocks)
        .map(
            _Read,  # type: ignore[arg-type]  # a class of callables, as documented
            fn_constructor_args=(how, limits),
            compute=readers,
            num_cpus=1,
        )
        .map_batches(
            _Score,
            fn_constructor_args=(dict(settings),),
            compute=ray.data.ActorPoolStrategy(size=cluster.scorers),
            batch_size=BLOCK,
            batch_format="pyarrow",
            num_cpus=0 if cluster.gpus else 1,
            num_gpus=cluster.gpus,
        )
    )
    try:
        job.write_parquet(
            output,
            min_rows_per_file=cluster.shard,
            ray_remote_args={"num_cpus": 0},  # or nothing is kept while readers hold all CPUs
        )
    except Exception as error:  # Ray's own share no base
        raise EngineError(
            f"The job stopped: {_reason(error)} What its shards hold stays; run it again to go on."
        ) from error
    return len(missing)


def _reason(error: Exception) -> str:
    """What an actor said, of which Ray passes on the text."""
    told = re.findall(r"^dover_plugin\.errors\.\w+: (.+)$", str(error), re.MULTILINE)
    if told:
        return str(told[-1])
    return f"{next(iter(str(error).strip().splitlines()[-1:]), type(error).__name__)}."


def _like_actors(settings: Mapping[str, Any]) -> Scorer:
    """A scorer that finds mistakes and weights here, where the actors' device may not be."""
    here = {"device": "cpu", "engine": "torch", "precision": "float32"}
    scorer = Scorer(**{**settings, **here})
    precision = settings.get("precision", "float32")
    scorer.settings = replace(scorer.settings, precision=precision)
    return scorer


def _check_room(cluster: Cluster) -> None:
    """Raise SettingsError if so many actors never start."""
    readers = cluster.readers or 1
    needed = readers + (0 if cluster.gpus else cluster.scorers)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    there = int(resources.get("CPU", 0))
    if needed > there:
        raise SettingsError(
            f"{readers} readers and {cluster.scorers} scorers need {needed} CPUs, and the cluster "
            f"has {there}. Ask for fewer, or add nodes first."
        )


def _missing(videos: Sequence[str], done: Mapping[str, set[Stamp]]) -> list[str]:
    """Videos without a row of what they are now, each once; only those with rows are looked up."""
    wanted = list(dict.fromkeys(map(place_of, videos)))
    known = [path for path in wanted if storable(path) in done]
    with ThreadPoolExecutor(LOOKUPS) as pool:
        stamps = dict(zip(known, pool.map(_stamp, known), strict=True))
    return [
        path for path in wanted if path not in stamps or stamps[path] not in done[storable(path)]
    ]


def find_on(folder: str) -> list[str]:
    """Videos below a folder of any filesystem, as URIs, sorted.

    Raises:
        SettingsError: it cannot be listed.
    """
    parts = urlsplit(folder)
    try:
        filesystem, root = pafs.FileSystem.from_uri(folder)
        found = filesystem.get_file_info(pafs.FileSelector(root, recursive=True))
        paths = [each.path for each in found if each.is_file]  # raises for one that is no text
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot list '{folder}': {error}.") from None
    of_path = root.startswith(parts.netloc)  # a bucket is a part of the path, a host is not
    start = f"{parts.scheme}://{'' if of_path else parts.netloc}"
    return sorted(
        f"{start}{quote(path)}"
        for path in paths
        if PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES
    )


def expand_places(videos: Sequence[str]) -> list[str]:
    """Videos as every node names them; a URI that ends in / stands for the videos below it.

    Raises:
        SettingsError: a folder that cannot be listed.
    """
    places: list[str] = []
    for path in videos:
        places += find_on(path) if "://" in path and path.endswith("/") else [place_of(path)]
    return places


class _Read:
    """An actor that reads: rows of paths to rows of pickled readings, or errors."""

    def __init__(self, how: ReadOptions, limits: Limits) -> None:
        self._pool = ProcessPool(how, 1, limits).__enter__()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        path = row["path"]
        size, modified = _stamp(path)
        out = {"path": path, "size": size, "modified": modified, "reading": b"", "error": ""}
        try:
            with _local(path) as file:
                info, views = self._pool.submit(file).result()
            out["reading"] = pickle.dumps((replace(info, path=path), views))
        except SettingsError:  # of all videos, not of this one
            raise
        except DoverError as error:
            out["error"] = str(error)
        except Exception as error:
            out["error"] = f"{type(error).__name__}: {error}"
        return out


class _Score:
    """An actor that holds the model: readings to rows of scores."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._scorer = Scorer(**settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = []
        for each in batch.to_pylist():
            result = self._result(each)
            known = {name: each[name] for name in ("path", "size", "modified")}
            rows.append(result.to_dict() | known)
        return rows_to_arrow(rows)

    def _result(self, row: dict[str, Any]) -> Result:
        error = row["error"]
        if not error:
            try:
                return self._scorer.score_views(*VideoViews(*pickle.loads(row["reading"])))
            except EngineError:  # of all videos, not of this one
                raise
            except Exception as failure:
                error = str(failure)
        return Failure(row["path"], error, self._scorer.settings)


def place_of(path: str) -> str:
    """As every node knows it: a URI, or an absolute path."""
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100, which may be no text


def _for_actors(settings: Mapping[str, Any], scorer: Scorer) -> dict[str, Any]:
    """Settings that mean the same wherever an actor runs."""
    weights = settings.get("weights")
    return {
        **settings,
        "fusion": scorer.calibration,
        "weights": None if weights is None else place_of(os.fspath(weights)),
    }


def _done(output: str, scorer: Scorer, *, retry_failed: bool) -> dict[str, set[Stamp]]:
    """Path and stamps of what the shards hold.

    Raises:
        SettingsError: other settings, or Parquet that is no shard.
    """
    found: dict[str, set[Stamp]] = {}
    for rows in _shards(output, set_aside=True):
        for row in rows:
            other = settings_mismatch(row, scorer)
            if other:
                raise SettingsError(f"'{output}' holds scores with {other}. Name another folder.")
            if row["error"] is None or not retry_failed:
                found.setdefault(row["path"], set()).add((row["size"], row["modified"]))
    return found


def read_shards(output: str) -> Iterator[dict[str, Any]]:
    """Rows of all shards, the oldest first; of a video that was done again, all of them."""
    for rows in _shards(output, set_aside=False):
        yield from rows


def _shards(output: str, *, set_aside: bool) -> Iterator[list[dict[str, Any]]]:
    """Rows of each shard; one that a kill cut off is passed over, and renamed if wanted."""
    try:
        filesystem, root = _filesystem(output)
        files = filesystem.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot keep shards in '{output}': {error}.") from None
    for file in sorted(files, key=lambda each: each.mtime_ns or 0):
        if file.extension != "parquet":
            continue
        try:
            shard = pq.ParquetFile(file.path, filesystem=filesystem)
        except pa.ArrowInvalid:  # its videos are done again
            if set_aside:
                filesystem.move(file.path, f"{file.path}.torn")
            continue
        with shard:
            missing = [name for name in ALL_COLUMNS if name not in shard.schema_arrow.names]
            if missing:
                raise SettingsError(
                    f"'{output}' holds a table that is none of scores: '{file.base_name}' has no "
                    f"column '{missing[0]}'. Name another folder."
                )
            yield shard.read().to_pylist()


def _filesystem(place: str) -> tuple[pafs.FileSystem, str]:
    if "://" in place:
        found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(place)
        return found
    return pafs.LocalFileSystem(), str(Path(place).absolute())


def _stamp(path: str) -> Stamp:
    """Size in bytes and time of change in nanoseconds, as far as a filesystem tells."""
    if "://" not in path:
        return stamp_of(path)
    try:
        filesystem, inside = _filesystem(path)
        info = filesystem.get_file_info(inside)
    except (OSError, ValueError):
        return None, None
    return info.size, info.mtime_ns


@contextmanager
def _local(path: str) -> Iterator[str]:
    """The file on this machine, fetched if it lies elsewhere."""
    try:
        filesystem, inside = _filesystem(path)
    except (OSError, ValueError) as error:
        raise VideoError(f"Cannot fetch {path!r}: {error}.") from None
    if isinstance(filesystem, pafs.LocalFileSystem):
        yield inside if "://" in path else path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / Path(inside).name
        try:
            pafs.copy_files(
                inside,
                str(target),
                source_filesystem=filesystem,
                destination_filesystem=pafs.LocalFileSystem(),
            )
        except (OSError, ValueError) as error:
            raise VideoError(f"Cannot fetch {path!r}: {error}.") from None
        yield str(target)
