"""The command ``dover cluster``: score many videos on a Ray cluster."""

from typing import Annotated, Any

import typer

from dover_plugin.cli.batch_options import InputOptions, ReaderOptions
from dover_plugin.cli.common import OK, SOME_FAILED, consent, need_extra
from dover_plugin.cli.model_options import ModelOptions
from dover_plugin.cli.options import BATCH, OUTPUT, expand_options


@expand_options
def cluster(
    inputs: InputOptions,
    model: ModelOptions,
    readers: ReaderOptions,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder or URI for the Parquet shards; a second run resumes.",
            rich_help_panel=OUTPUT,
        ),
    ],
    address: Annotated[
        str,
        typer.Option(
            help="Address of the Ray cluster; auto joins $RAY_ADDRESS or a running cluster, or "
            "starts one that listens on 127.0.0.1.",
            rich_help_panel=BATCH,
        ),
    ] = "auto",
    scorers: Annotated[
        int,
        typer.Option(min=1, help="Number of actors that hold the model.", rich_help_panel=BATCH),
    ] = 1,
    gpus: Annotated[
        float,
        typer.Option(
            min=0, help="GPUs per scorer actor (fractions allowed).", rich_help_panel=BATCH
        ),
    ] = 0.0,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Retry videos that failed in an earlier run.",
            rich_help_panel=BATCH,
        ),
    ] = False,
) -> None:
    """Score many videos on a Ray cluster into a folder of Parquet shards."""
    need_extra("ray", ["ray", "pyarrow"])
    from dover_plugin.weights import store

    videos, limits = (
        inputs.videos(as_sequence=model.as_sequence, urls_in_lists=True),
        readers.limits(),
    )
    store.find(model.model, model.weights, consent=consent(model.accept_license))

    from dover_plugin.batch.ray_cluster import connect

    connect(address)  # before Ray is imported
    from dover_plugin.batch.locations import expand_locations
    from dover_plugin.batch.ray import Cluster, score_on_ray
    from dover_plugin.batch.shards import read_shards
    from dover_plugin.batch.summary import summarise
    from dover_plugin.batch.tables import storable
    from dover_plugin.cli.batch import print_summary
    from dover_plugin.scores import SCORES

    named = expand_locations(videos)
    fresh = score_on_ray(
        named,
        output,
        model.scorer_options(),
        cluster=Cluster(readers=readers.workers, scorers=scorers, gpus=gpus),
        limits=limits,
        retry_failed=retry_failed,
    )
    latest: dict[str, dict[str, Any]] = {}
    for row in read_shards(output):  # the last row of a video counts
        latest[row["path"]] = {name: row[name] for name in ("path", "error", *SCORES)}
    shown = [storable(path) for path in dict.fromkeys(named)]
    found = summarise(latest[path] for path in shown if path in latest)
    print_summary(found, len(shown) - fresh, output)
    if not found.scored + found.failed:
        typer.echo("dover: the shards hold no row.", err=True)
        raise typer.Exit(SOME_FAILED)
    raise typer.Exit(SOME_FAILED if found.failed else OK)
