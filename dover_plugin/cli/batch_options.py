"""Options of the videos of a batch, of its reader processes, and of minimum scores, as groups."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dover_plugin.cli.options import BATCH, INPUT, OUTPUT

if TYPE_CHECKING:
    from dover_plugin.batch.minimums import Minimums
    from dover_plugin.readers.reading import Limits


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
            raise SettingsError(
                f"The list holds URLs, such as {url!r}. Pass them as arguments, or use "
                "'dover score --fetch-urls'."
            )
        if not named:
            raise SettingsError("There is no input. Pass videos, folders, or a list with --from.")
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
