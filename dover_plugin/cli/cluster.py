"""``dover score --ray``: many videos on a cluster, into a folder of shards."""

from collections.abc import Mapping
from typing import Any

import typer

from dover_plugin.cli.common import OK, SOME_FAILED
from dover_plugin.errors import SettingsError
from dover_plugin.readers.reading import Limits


def score_on_cluster(
    videos: list[str],
    output: str,
    settings: Mapping[str, Any],
    address: str,
    limits: Limits,
    *,
    scorers: int,
    gpus: float,
    readers: int | None,
    retry_failed: bool,
) -> int:
    """Score what the shards do not hold, and print the summary; returns the exit code."""
    import ray

    from dover_plugin.analysis.timeline import SCORES
    from dover_plugin.batch.ray import Cluster, find_on, place_of, read_shards, score_on_ray
    from dover_plugin.batch.summary import summarise
    from dover_plugin.batch.tables import printable
    from dover_plugin.cli.batch import print_summary

    try:
        if address == "auto":
            ray.init(ignore_reinit_error=True)  # the cluster of $RAY_ADDRESS, else this machine
        else:
            ray.init(address=address, ignore_reinit_error=True)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot join a Ray cluster at '{address}': {reason}") from error
    named: list[str] = []
    for path in videos:
        named += find_on(path) if "://" in path and path.endswith("/") else [place_of(path)]
    fresh = score_on_ray(
        named,
        output,
        settings,
        cluster=Cluster(readers=readers, scorers=scorers, gpus=gpus),
        limits=limits,
        retry_failed=retry_failed,
    )
    latest: dict[str, dict[str, Any]] = {}
    for row in read_shards(output):  # the last of each counts
        latest[row["path"]] = {name: row[name] for name in ("path", "error", *SCORES)}
    shown = [printable(path) for path in dict.fromkeys(named)]
    found = summarise(latest[path] for path in shown if path in latest)
    print_summary(found, len(shown) - fresh, output)
    if not found.scored + found.failed:
        typer.echo("dover: no shard holds a row.", err=True)
        return SOME_FAILED
    return SOME_FAILED if found.failed else OK
