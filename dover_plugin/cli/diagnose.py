"""The command ``dover diagnose``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dover_plugin.cli.batch_options import InputOptions
from dover_plugin.cli.common import (
    BELOW,
    OK,
    SOME_FAILED,
    check_new,
    open_output,
    progress_bars,
)
from dover_plugin.cli.options import (
    OUTPUT,
    AllowDamaged,
    AsSequence,
    End,
    OutputFile,
    SegmentLength,
    SequenceRate,
    Start,
    Stream,
    check_rate,
    expand_options,
)

if TYPE_CHECKING:
    from dover_plugin.analysis.diagnosis import Diagnosis


@expand_options
def diagnose(
    inputs: InputOptions,
    segments: SegmentLength = "10s",
    stream: Stream = None,
    allow_damaged: AllowDamaged = False,
    start: Start = None,
    end: End = None,
    as_sequence: AsSequence = False,
    fps: SequenceRate = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="Exit with code 3 if a video has this tag; may be repeated.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    output_format: Annotated[
        Literal["table", "json", "csv"],
        typer.Option(
            "--format",
            "-f",
            help="Output format; json prints one object per line.",
            rich_help_panel=OUTPUT,
        ),
    ] = "table",
    output: OutputFile = None,
) -> None:
    """Detect distortions in videos: blur, blocking, banding, noise, freezes and others."""
    from dover_plugin.analysis.diagnosis import NotDiagnosed, diagnose_many
    from dover_plugin.analysis.distortions import TAGS
    from dover_plugin.errors import SettingsError
    from dover_plugin.io.options import OpenOptions
    from dover_plugin.reporting.diagnosis_tables import WRITERS

    for tag in fail_on or []:
        if tag not in TAGS:
            raise SettingsError(
                f"No distortion has the tag {tag!r}. Choose from {', '.join(TAGS)}."
            )
    check_rate(fps, as_sequence)
    opening = OpenOptions(
        stream=stream,
        allow_damaged=allow_damaged,
        start=start,
        end=end,
        as_sequence=as_sequence,
        fps=fps,
    )
    check_new(output)
    videos = inputs.videos(as_sequence=as_sequence)
    failed, tagged = False, False
    with progress_bars() as bars:

        def watched() -> "Iterator[Diagnosis | NotDiagnosed]":
            nonlocal failed, tagged
            found = diagnose_many(videos, segments, opening)
            for each in bars.track(found, len(videos), description="diagnosing"):
                if isinstance(each, NotDiagnosed):
                    failed = True
                    if output or output_format != "table":
                        typer.echo(f"dover: {each.error}", err=True)
                else:
                    tagged = tagged or bool({*each.tags} & {*(fail_on or [])})
                yield each

        with open_output(output) as target:
            WRITERS[output_format](watched(), target)
    if failed:
        raise typer.Exit(SOME_FAILED)
    raise typer.Exit(BELOW if tagged else OK)
