"""Options that several commands share, and groups of options as dataclasses.

A command takes a group as one parameter. ``expand_options`` replaces this parameter by the fields
of the dataclass, so that the command line shows each field as an option.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from dover_plugin.weights.registry import MODELS

# Panels of --help.
INPUT, MODEL, SAMPLING, SEGMENTS = "Input", "Model", "Sampling", "Segments"
OUTPUT, BATCH = "Output", "Batch"

Accept = Annotated[
    bool,
    typer.Option(
        "--accept-license",
        help="Accept the license of weights that must be downloaded.",
        rich_help_panel=MODEL,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help=f"Model: {', '.join(MODELS)}.",
        rich_help_panel=MODEL,
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file to use in place of the published weights.", rich_help_panel=MODEL
    ),
]

Stream = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Index of the video stream in a file, as ffprobe shows it.",
        show_default="the stream with the most pixels per frame",
        rich_help_panel=INPUT,
    ),
]
AllowDamaged = Annotated[
    bool,
    typer.Option(
        "--allow-damaged",
        help="Read files that are cut off or damaged, with a warning.",
        rich_help_panel=INPUT,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        help="Start of the part that is read: seconds such as 10s or 1:30, or a frame number such "
        "as 250.",
        show_default="the first frame",
        rich_help_panel=INPUT,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        help="End of the part (exclusive): seconds or a frame number, as for --start.",
        show_default="the last frame",
        rich_help_panel=INPUT,
    ),
]
AsSequence = Annotated[
    bool,
    typer.Option(
        "--as-sequence",
        help="Each path is a folder or a quoted pattern of images ('frames/%04d.png'), which "
        "are the frames of one video.",
        rich_help_panel=INPUT,
    ),
]
SequenceRate = Annotated[
    float | None,
    typer.Option("--fps", help="Frames per second of image sequences.", rich_help_panel=INPUT),
]
SegmentLength = Annotated[
    str,
    typer.Option(
        help="Segment length such as 5s or 240f, or scenes to cut at shot changes.",
        rich_help_panel=SEGMENTS,
    ),
]
FailBelow = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="Exit with code 3 if the overall score of a video is below this value.",
        rich_help_panel=OUTPUT,
    ),
]
FailStatistic = Annotated[
    Literal["mean", "harmonic_mean", "median", "min", "p1", "p5", "p10"] | None,
    typer.Option(
        metavar="STATISTIC",
        help="Statistic over the segments that --fail-below applies to: mean (default), "
        "harmonic_mean, median, min (the worst segment), p1, p5 or p10.",
        rich_help_panel=OUTPUT,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the results to this file.",
        show_default="standard output",
        rich_help_panel=OUTPUT,
    ),
]
ScoresTable = Annotated[
    Path,
    typer.Argument(
        metavar="SCORES",
        help="Table of scores (.jsonl, .csv or .parquet) that 'dover score' wrote.",
    ),
]


def check_rate(fps: float | None, as_sequence: bool) -> None:
    """Raise SettingsError for --fps without --as-sequence: files state their own rate."""
    from dover_plugin.errors import SettingsError

    if fps is not None and not as_sequence:
        raise SettingsError("--fps applies to image sequences. Add --as-sequence, or omit --fps.")


def expand_options[R](command: Callable[..., R]) -> Callable[..., R]:
    """Show the fields of each options dataclass as arguments and options of ``command``.

    A parameter whose annotation is a dataclass is replaced by the fields of this dataclass;
    ``command`` still receives one object.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {}
    expanded: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        group = hints[name]
        if not (isinstance(group, type) and is_dataclass(group)):
            expanded.append(parameter.replace(annotation=hints[name]))
            continue
        groups[name] = group
        types = get_type_hints(group, include_extras=True)
        expanded += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=types[field.name],
            )
            for field in fields(group)
        ]

    @wraps(command)
    def call(**values: Any) -> R:
        objects = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **objects)

    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in expanded]
    call.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in keyword}
    return call
