"""Score videos on a Ray cluster: read on CPUs, score in actors, write Parquet shards.

Videos are read in separate processes, so that a file that crashes its decoder becomes a failed
row. Shards are written atomically; a later run resumes with the videos that no shard holds.
"""

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import ray

from dover_plugin.batch.journal import Stamp, settings_mismatch
from dover_plugin.batch.locations import local_copy, location_of, stamp_on
from dover_plugin.batch.shards import shards
from dover_plugin.batch.tables import rows_to_arrow, storable
from dover_plugin.errors import DoverError, EngineError, SettingsError
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews
from dover_plugin.scorer import Scorer
from dover_plugin.scores import Failure, Result
from dover_plugin.text import described

BLOCK = 8  # videos per block of a reader
MAX_BLOCKS = 20_000  # more blocks slow the scheduler down
LOOKUPS = 32  # concurrent lookups of files
SHARD = 256  # minimum rows per shard, which a kill can lose


@dataclass(frozen=True)
class Cluster:
    """Resources of a job.

    Attributes:
        readers: number of reader actors, one CPU each; None scales with the free CPUs.
        scorers: number of actors that hold the model, one CPU each unless they have a GPU.
        gpus: GPUs per scorer actor (fractions allowed); 0 runs on a CPU.
        shard: minimum rows per shard.
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
    """Score the videos that the shards in ``output`` do not hold.

    Connect to a cluster first, with ray_cluster.connect or ray.init.

    Args:
        videos: paths, or URIs of any filesystem of pyarrow, such as s3://bucket/clip.mp4.
        output: folder or URI of the shards.
        settings: arguments of Scorer; ``device`` is the device of the actors.
        cluster: resources of the job.
        limits: limits of a reader process.
        retry_failed: score videos that failed in an earlier run again.

    Returns:
        Number of videos that this run scored, including failures.

    Raises:
        SettingsError: the shards hold scores of other settings, or the settings are invalid.
        EngineError: a network could not run, or the cluster failed.
    """
    cluster, limits = cluster or Cluster(), limits or Limits()
    scorer = _like_actors(settings)
    settings = _for_actors(settings, scorer)
    _check_room(cluster)
    missing = _missing(videos, _done(output, scorer, retry_failed=retry_failed))
    if not missing:
        return 0
    how = scorer.read_options
    blocks = min(MAX_BLOCKS, -(-len(missing) // BLOCK))
    readers = (
        ray.data.ActorPoolStrategy(min_size=1)
        if cluster.readers is None
        else ray.data.ActorPoolStrategy(size=cluster.readers)
    )
    # A file that hangs makes no progress until its time limit; the job must not stop before.
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
            ray_remote_args={"num_cpus": 0},  # readers may hold all CPUs
        )
    except Exception as error:  # Ray's errors share no base class
        raise EngineError(
            f"The job stopped: {_reason(error)} The shards are kept; run it again to resume."
        ) from error
    return len(missing)


def _reason(error: Exception) -> str:
    """The error message of an actor, taken from the text that Ray passes on."""
    told = re.findall(r"^dover_plugin\.errors\.\w+: (.+)$", str(error), re.MULTILINE)
    if told:
        return str(told[-1])
    return f"{next(iter(str(error).strip().splitlines()[-1:]), type(error).__name__)}."


def _like_actors(settings: Mapping[str, Any]) -> Scorer:
    """Make a scorer here that checks the settings, since the actors' device may not exist here."""
    here = {"device": "cpu", "engine": "torch", "precision": "float32"}
    scorer = Scorer(**{**settings, **here})
    precision = settings.get("precision", "float32")
    scorer.settings = replace(scorer.settings, precision=precision)
    return scorer


def _check_room(cluster: Cluster) -> None:
    """Raise SettingsError if the cluster has too few CPUs or GPUs to start all actors."""
    readers = cluster.readers or 1
    needed = readers + (0 if cluster.gpus else cluster.scorers)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    there = int(resources.get("CPU", 0))
    if needed > there:
        raise SettingsError(
            f"{readers} readers and {cluster.scorers} scorers need {needed} CPUs, and the cluster "
            f"has {there}. Ask for fewer, or add nodes first."
        )
    gpus, found = cluster.scorers * cluster.gpus, resources.get("GPU", 0)
    if gpus > found:
        raise SettingsError(
            f"{cluster.scorers} scorers need {gpus:g} GPUs, and the cluster has {found:g}. Ask for "
            "fewer, or add nodes first."
        )


def _missing(videos: Sequence[str], done: Mapping[str, set[Stamp]]) -> list[str]:
    """Videos without a row for their current content, each once; the others are looked up."""
    wanted = list(dict.fromkeys(map(location_of, videos)))
    known = [path for path in wanted if storable(path) in done]
    with ThreadPoolExecutor(LOOKUPS) as pool:
        stamps = dict(zip(known, pool.map(stamp_on, known), strict=True))
    return [
        path for path in wanted if path not in stamps or stamps[path] not in done[storable(path)]
    ]


class _Read:
    """Reader actor: maps rows of paths to rows of pickled views, or errors."""

    def __init__(self, how: ReadOptions, limits: Limits) -> None:
        self._pool = ProcessPool(how, 1, limits).__enter__()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        path = row["path"]
        size, modified = stamp_on(path)
        out = {"path": path, "size": size, "modified": modified, "reading": b"", "error": ""}
        try:
            with local_copy(path) as file:
                info, views = self._pool.submit(file).result()
            out["reading"] = pickle.dumps((replace(info, path=path), views))
        except SettingsError:  # concerns all videos
            raise
        except DoverError as error:
            out["error"] = str(error)
        except Exception as error:
            out["error"] = described(error)
        return out


class _Score:
    """Scorer actor: maps rows of pickled views to rows of scores."""

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
            except EngineError:  # concerns all videos
                raise
            except Exception as failure:
                error = str(failure)
        return Failure(row["path"], error, self._scorer.settings)


def _for_actors(settings: Mapping[str, Any], scorer: Scorer) -> dict[str, Any]:
    """Settings that are valid on every node."""
    weights = settings.get("weights")
    return {
        **settings,
        "fusion": scorer.calibration,
        "weights": None if weights is None else location_of(os.fspath(weights)),
    }


def _done(output: str, scorer: Scorer, *, retry_failed: bool) -> dict[str, set[Stamp]]:
    """Stamps of the videos that the shards hold, by path.

    Raises:
        SettingsError: the shards have other settings, or a table holds no scores.
    """
    found: dict[str, set[Stamp]] = {}
    for rows in shards(output, rename_torn=True):
        for row in rows:
            other = settings_mismatch(row, scorer)
            if other:
                raise SettingsError(f"'{output}' holds scores with {other}. Use another folder.")
            if row["error"] is None or not retry_failed:
                found.setdefault(row["path"], set()).add((row["size"], row["modified"]))
    return found
