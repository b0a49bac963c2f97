"""Options of the network and of reading, as a group that commands share."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dover_plugin.cli.options import (
    INPUT,
    MODEL,
    SAMPLING,
    Accept,
    AllowDamaged,
    AsSequence,
    End,
    Model,
    SequenceRate,
    Start,
    Stream,
    WeightsFile,
    check_rate,
)
from dover_plugin.weights.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from rich.progress import Progress

    from dover_plugin.io.options import OpenOptions
    from dover_plugin.io.source import FrameSource
    from dover_plugin.options import ScorerOptions
    from dover_plugin.scorer import Scorer


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
    start: Start = None
    end: End = None
    as_sequence: AsSequence = False
    fps: SequenceRate = None
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

        check_rate(self.fps, self.as_sequence)
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
            help="Calibration constants of published papers: reference, evalcrafter or "
            "restoration.",
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
