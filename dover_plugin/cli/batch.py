"""``dover score --output``: score many videos into a table, with a progress bar and a summary."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dover_plugin.cli.common import OK, SOME_FAILED
from dover_plugin.interrupt import Terminated
from dover_plugin.text import counted

if TYPE_CHECKING:
    from dover_plugin.batch.minimums import Minimums
    from dover_plugin.batch.run import Tally
    from dover_plugin.batch.summary import BatchSummary
    from dover_plugin.readers.reading import Limits
    from dover_plugin.scorer import Scorer


def score_into(
    output: Path,
    scorer: "Scorer",
    videos: list[str],
    *,
    workers: int,
    limits: "Limits",
    restart: bool,
    retry_failed: bool,
    minimums: "Minimums",
) -> int:
    """Score the videos that ``output`` does not hold yet.

    Returns:
        The exit code.
    """
    from dover_plugin.batch.journal import Journal
    from dover_plugin.batch.run import score_batch
    from dover_plugin.batch.summary import summarise
    from dover_plugin.batch.tables import back_up, journal_of, write_output
    from dover_plugin.interrupt import first_interrupt_waits

    file = journal_of(output)
    if restart:
        back_up(output)
    with (
        _hint_to_resume(file),
        Journal(file, scorer, retry_failed=retry_failed) as journal,
        first_interrupt_waits() as stopping,
        _Bar(len(dict.fromkeys(videos))) as show,
    ):
        tally = score_batch(
            scorer,
            videos,
            journal,
            workers=workers,
            limits=limits,
            stopping=stopping,
            progress=show,
        )
        if tally.stopped:
            left = len(dict.fromkeys(videos)) - tally.resumed - tally.scored - tally.failed
            typer.echo(f"dover: interrupted; {counted(left, 'video')} not scored.", err=True)
            raise KeyboardInterrupt
        write_output(journal, output, videos, minimums)
        found = summarise(journal.rows_of(videos))
    print_summary(found, tally.resumed, str(output))
    return SOME_FAILED if found.failed else OK


@contextmanager
def _hint_to_resume(file: Path) -> Iterator[None]:
    """Say where the finished rows are if the block is interrupted or terminated."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        typer.echo(
            f"dover: '{file}' holds the finished rows. Run the same command again to resume.",
            err=True,
        )
        raise


class _Bar:
    """Number of finished videos, rate, failures and remaining time; hidden without a terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("scoring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[failed]} failed", style="red"),
            Remaining(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=total, rate="", failed=0)
        self._began = time.monotonic()

    def __enter__(self) -> "_Bar":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, tally: "Tally") -> None:
        fresh = tally.scored + tally.failed
        rate = fresh / max(1e-9, time.monotonic() - self._began)
        speed = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.0f}/min"
        self._bars.update(
            self._task, completed=tally.resumed + fresh, rate=speed, failed=tally.failed
        )


def print_summary(found: "BatchSummary", resumed: int, output: str) -> None:
    """Print the number of videos, the errors, the statistics of the scores and the lowest scores.

    Args:
        found: summary of the table.
        resumed: number of videos that an earlier run had scored.
        output: name of the table.
    """
    from rich.console import Console
    from rich.text import Text

    from dover_plugin.reporting.text import statistics_table
    from dover_plugin.text import printable

    console = Console(highlight=False)
    before = f" ({resumed} in an earlier run)" if resumed else ""
    failed = f", {found.failed} failed" if found.failed else ""
    console.print(Text(f"{output}: {found.scored} scored{failed}{before}"), soft_wrap=True)
    for kind, count in found.kinds:
        console.print(Text(f"  {count} x {printable(kind)}", "red"), soft_wrap=True)
    if not found.statistics:
        return
    console.print(statistics_table(found.statistics))
    console.print(f"lowest {next(iter(found.statistics))}:")
    for path, value in found.lowest:
        console.print(Text(f"  {value:.3f}  {printable(path)}"), soft_wrap=True)
