"""How a video is opened: decoder, stream, corrections, and the part that is scored."""

import re
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from dover_plugin.errors import SettingsError

DECODERS = ("auto", "pyav", "decord", "torchcodec")
HDR_MODES = ("tonemap", "as-is")
FASTEST = 1000.0  # frames per second; a higher rate is a time base, not a frame rate
USUAL_RATE = 25.0  # frames per second if a video does not state them
CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,15})?)")
LENGTH = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})s")
FRAMES = re.compile(r"(\d{1,15})f?")


class Position(NamedTuple):
    """A position in a video.

    Attributes:
        value: seconds from the start, or a number of frames.
        unit: "s" or "f".
    """

    value: float
    unit: Literal["s", "f"]

    def __str__(self) -> str:
        if self.unit == "f":
            return f"{self.value:.0f}"
        return f"{self.value:.6f}".rstrip("0").rstrip(".") + "s"


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """How a video is opened; see open.open_source for each option.

    Raises:
        SettingsError: a value that does not exist, or options that exclude each other.
    """

    decoder: str = "auto"
    stream: int | None = None
    deinterlace: bool = False
    allow_damaged: bool = False
    hdr: str = "tonemap"
    start: str | int | None = None
    end: str | int | None = None
    as_sequence: bool = False
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.decoder not in DECODERS:
            raise SettingsError(
                f"No decoder is named {self.decoder!r}. Choose from {', '.join(DECODERS)}."
            )
        if self.hdr not in HDR_MODES:
            raise SettingsError(f"hdr must be {' or '.join(HDR_MODES)}, got {self.hdr!r}.")
        if self.fps is not None and not (
            isinstance(self.fps, int | float) and 0 < self.fps <= FASTEST
        ):
            raise SettingsError(f"fps must be above 0 and at most {FASTEST:g}, got {self.fps!r}.")
        if self.as_sequence and (
            self.decoder not in ("auto", "pyav") or self.stream is not None or self.deinterlace
        ):
            raise SettingsError(
                "Image sequences have no streams, no interlaced frames and one decoder, pyav. Omit "
                "the options for the stream, deinterlacing and the decoder."
            )
        start, end = self.part
        if start and end and start.unit == end.unit and start.value >= end.value:
            raise SettingsError(
                f"The start {start} is not before the end {end}. Use an earlier start."
            )

    @property
    def part(self) -> tuple[Position | None, Position | None]:
        """Where the part starts and ends; None for the start and the end of the video."""
        return parse_position(self.start, "start"), parse_position(self.end, "end")

    def record(self) -> str | None:
        """The options that change which pixels are scored, such as "stream=1, start=10s".

        None if all have their defaults. The decoder is not among them: each result states its own.
        """
        start, end = self.part
        values = {
            **{field.name: getattr(self, field.name) for field in fields(OpenOptions)},
            "start": start,
            "end": end,
            "fps": None if self.fps is None else f"{self.fps:g}",
        }
        chosen = {
            field.name: values[field.name]
            for field in fields(OpenOptions)
            if field.name != "decoder" and values[field.name] != field.default
        }
        return ", ".join(n if v is True else f"{n}={v}" for n, v in chosen.items()) or None


def parse_position(text: str | int | None, name: str) -> Position | None:
    """A position such as "10s", "1:30" (minutes and seconds), "1:02:03.5", "250" or 250 (frames).

    Raises:
        SettingsError: the text is none of these.
    """
    if text is None:
        return None
    given = str(text).strip()
    if match := FRAMES.fullmatch(given):
        return Position(int(match[1]), "f")
    if match := LENGTH.fullmatch(given):
        return Position(float(match[1]), "s")
    if match := CLOCK.fullmatch(given):
        hours, minutes, seconds = match.groups(default="0")
        return Position(3600 * int(hours) + 60 * int(minutes) + float(seconds), "s")
    raise SettingsError(
        f"The {name} {text!r} is not a position. Use seconds, such as 10s or 1:30, or a frame, "
        "such as 250."
    )
