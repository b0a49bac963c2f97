"""Groups of options that several commands share, as dataclasses.

A command takes a group as one parameter. ``expand_options`` replaces this parameter by the fields
of the dataclass, so that the command line shows each field as an option.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from dover_plugin.weights.registry import DEFAULT_MODEL, MODELS

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.batch.minimums import Minimums
    from dover_plugin.io.options import OpenOptions
    from dover_plugin.io.source import FrameSource
    from dover_plugin.options import ScorerOptions
    from dover_plugin.readers.reading import Limits
    from dover_plugin.scorer import Scorer

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
        help=f"Model that scores: {', '.join(MODELS)}.",
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
    Literal["mean", "harmonic_mean", "median", "min", "p1", "p5", "p10"],
    typer.Option(
        metavar="STATISTIC",
        help="Statistic over the segments that --fail-below applies to: mean, harmonic_mean, "
        "median, min (the worst segment), p1, p5 or p10.",
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


@dataclass(frozen=True)
class NetworkOptions:
    """Which network runs and where, and how files are read."""

    model: Model = DEFAULT_MODEL
    weights: WeightsFile = None
    device: Annotated[
        str,
        typer.Option(
            help="Device: auto, cpu, cuda, cuda:1 or mps; several as cuda:0,cuda:1, or all CUDA "
            "devices with all.",
            rich_help_panel=MODEL,
        ),
    ] = "auto"
    engine: Annotated[
        str,
        typer.Option(
            help="Inference engine: auto, torch, openvino or onnxruntime.", rich_help_panel=MODEL
        ),
    ] = "auto"
    precision: Annotated[
        str,
        typer.Option(
            help="Precision: float32; float16 or bfloat16 on CUDA; bfloat16 with openvino.",
            rich_help_panel=MODEL,
        ),
    ] = "float32"
    branch: Annotated[
        Literal["technical", "aesthetic"] | None,
        typer.Option(
            help="Run this branch alone; the other scores are null.",
            show_default="all branches of the model",
            rich_help_panel=MODEL,
        ),
    ] = None
    decoder: Annotated[
        str,
        typer.Option(
            help="Video decoder: auto, pyav, decord or torchcodec.", rich_help_panel=INPUT
        ),
    ] = "auto"
    stream: Stream = None
    deinterlace: Annotated[
        bool,
        typer.Option(
            "--deinterlace",
            help="Deinterlace interlaced frames with FFmpeg's bwdif.",
            rich_help_panel=INPUT,
        ),
    ] = False
    allow_damaged: AllowDamaged = False
    hdr: Annotated[
        Literal["tonemap", "as-is"],
        typer.Option(
            help="HDR files (PQ, HLG): tonemap to SDR by BT.2390, or score them as-is.",
            rich_help_panel=INPUT,
        ),
    ] = "tonemap"
    start: Annotated[
        str | None,
        typer.Option(
            help="Score a part from here: seconds such as 10s or 1:30, or a frame such as 250.",
            show_default="the first frame",
            rich_help_panel=INPUT,
        ),
    ] = None
    end: Annotated[
        str | None,
        typer.Option(
            help="Score a part up to here, before this position.",
            show_default="the last frame",
            rich_help_panel=INPUT,
        ),
    ] = None
    as_sequence: Annotated[
        bool,
        typer.Option(
            "--as-sequence",
            help="Each path is a folder or a quoted pattern of images ('frames/%04d.png'), which "
            "are the frames of one video.",
            rich_help_panel=INPUT,
        ),
    ] = False
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of image sequences.", rich_help_panel=INPUT),
    ] = None
    accept_license: Accept = False

    def scorer_options(self) -> "ScorerOptions":
        """The options as Scorer takes them."""
        options: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        options.pop("accept_license")
        branch = options.pop("branch")
        return {**options, "branches": (branch,) if branch else None}  # type: ignore[typeddict-item]

    def open_options(self) -> "OpenOptions":
        """How files are opened.

        Raises:
            SettingsError: a value that does not exist, or options that exclude each other.
        """
        from dover_plugin.io.options import OpenOptions

        return OpenOptions(**{each.name: getattr(self, each.name) for each in fields(OpenOptions)})

    def open_video(self, path: str) -> "FrameSource":
        """Open one video with these options.

        Raises:
            SettingsError: a decoder that is not installed or lacks an option.
            VideoError: the file cannot be read.
        """
        from dover_plugin.io.open import open_with

        return open_with(path, self.open_options())

    def load_scorer(self, bars: "Progress") -> "Scorer":
        """A scorer; a missing weights file is downloaded after consent, with a progress bar.

        Raises:
            DoverError: settings or weights that do not work.
        """
        from dover_plugin import calibration
        from dover_plugin.cli.common import consent, download_bar
        from dover_plugin.weights import store
        from dover_plugin.weights.registry import published

        options = self.scorer_options()
        # These raise before a download.
        self.open_options()
        calibration.choose(options.get("fusion"), self.model)
        published(self.model).sampling.only(options["branches"], self.model)
        file = store.find(
            self.model,
            self.weights,
            consent=consent(self.accept_license),
            progress=download_bar(bars),
        )
        loading = bars.add_task("loading the network", total=None)
        from dover_plugin.scorer import Scorer  # imports torch

        options["weights"] = file
        scorer = Scorer(**options)
        bars.remove_task(loading)
        return scorer


@dataclass(frozen=True)
class ModelOptions(NetworkOptions):
    """The network, the frames it sees, and how its outputs become scores."""

    fusion: Annotated[
        str | None,
        typer.Option(
            help="Calibration of the scores: matched, reference, or a calibration file.",
            show_default="best of the model",
            rich_help_panel=MODEL,
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            help="Constants with which papers report DOVER: reference, evalcrafter or restoration.",
            rich_help_panel=MODEL,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            help="Random seed: sample frames and fragments at random.",
            show_default="centred samples",
            rich_help_panel=SAMPLING,
        ),
    ] = None
    repeats: Annotated[
        int,
        typer.Option(help="Number of random samples to average.", rich_help_panel=SAMPLING),
    ] = 1

    def scorer_options(self) -> "ScorerOptions":
        """The options as Scorer takes them.

        Raises:
            SettingsError: unknown preset, one of another model, or one beside a fusion.
        """
        from dover_plugin.calibration import find_preset
        from dover_plugin.errors import SettingsError

        options: dict[str, Any] = {**super().scorer_options()}
        preset = options.pop("preset")
        if preset and self.fusion:
            raise SettingsError("--preset sets the fusion. Omit --fusion or --preset.")
        if preset:
            options["fusion"] = find_preset(preset, self.model).calibration
        return options  # type: ignore[return-value]

    def load_scorer(self, bars: "Progress") -> "Scorer":
        """See NetworkOptions; says which columns hold the numbers of a preset."""
        scorer = super().load_scorer(bars)
        if self.preset:
            from dover_plugin.calibration import find_preset

            typer.echo(f"preset {self.preset}: {find_preset(self.preset).report}.", err=True)
        return scorer


@dataclass(frozen=True)
class InputOptions:
    """The videos of a batch."""

    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATHS",
            help="Videos, folders, patterns such as 'clips/**/*.mp4', or URLs; - reads a list of "
            "paths from standard input.",
        ),
    ] = None
    listed: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="List of paths, one per line, or a .csv or .parquet table.",
            rich_help_panel=INPUT,
        ),
    ] = None
    column: Annotated[
        str, typer.Option(help="Column of the table that holds the paths.", rich_help_panel=INPUT)
    ] = "path"

    def videos(self, *, as_sequence: bool = False, urls_in_lists: bool = False) -> list[str]:
        """Paths of all videos, in order.

        Args:
            as_sequence: paths are image sequences, so folders and patterns stay as they are.
            urls_in_lists: lists may hold URLs.

        Raises:
            SettingsError: no video is named, or the list cannot be read or holds URLs.
        """
        from dover_plugin.errors import SettingsError
        from dover_plugin.io.files import find_videos
        from dover_plugin.io.inputs import expand, read_from, read_list
        from dover_plugin.io.remote import is_url

        find = list[str] if as_sequence else find_videos
        named: list[str] = []
        listed: list[str] = []
        for path in self.paths or []:
            if path == "-":
                listed += read_list(sys.stdin)
                named += find(listed)
            else:
                named += [path] if as_sequence else expand([path])
        if self.listed:
            rows = read_from(self.listed, self.column)
            listed += rows
            named += find(rows)
        url = next((path for path in listed if is_url(path)), None)
        if url and not urls_in_lists:
            raise SettingsError(f"The list holds URLs, such as {url!r}. Add --fetch-urls.")
        if not named:
            raise SettingsError("No video was named. Name videos, folders, or a list with --from.")
        return named


@dataclass(frozen=True)
class ReaderOptions:
    """The processes that read videos, and what each may use for one video."""

    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of reader processes.", rich_help_panel=BATCH),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds after which reading one video fails.",
            show_default="600",
            rich_help_panel=BATCH,
        ),
    ] = None
    memory: Annotated[
        float | None,
        typer.Option(
            help="Memory in GiB that reading one video may use.",
            show_default="4",
            rich_help_panel=BATCH,
        ),
    ] = None

    @property
    def given(self) -> bool:
        """Whether any of these options was used."""
        return any(value is not None for value in (self.workers, self.timeout, self.memory))

    def limits(self) -> "Limits":
        """The limits of one reader process.

        Raises:
            SettingsError: a value that is out of range.
        """
        from dover_plugin.readers.reading import GIGABYTE, Limits

        return Limits(
            Limits.seconds if self.timeout is None else self.timeout,
            Limits.memory if self.memory is None else self.memory * GIGABYTE,
        )


@dataclass(frozen=True)
class MinimumOptions:
    """Minimum scores, which add the columns keep and reason."""

    min_technical: Annotated[
        float | None,
        typer.Option(
            help="Lowest technical score to keep; adds the columns keep and reason.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    min_aesthetic: Annotated[
        float | None,
        typer.Option(help="Lowest aesthetic score to keep.", rich_help_panel=OUTPUT),
    ] = None
    min_overall: Annotated[
        float | None,
        typer.Option(help="Lowest overall score to keep.", rich_help_panel=OUTPUT),
    ] = None

    def minimums(self) -> "Minimums":
        """The minimums.

        Raises:
            SettingsError: a value outside of [0, 1].
        """
        from dover_plugin.batch.minimums import Minimums

        return Minimums(self.min_technical, self.min_aesthetic, self.min_overall)


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
