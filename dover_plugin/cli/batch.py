"""``dover score --output``: score many videos into a table, with a progress bar and a summary."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dover_plugin.cli.common import OK, SOME_FAILED, progress_bars
from dover_plugin.interrupt import Terminated
from dover_plugin.text import counted

if TYPE_CHECKING:
    from rich.progress import Progress

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
        progress_bars() as bars,
    ):
        tally = score_batch(
            scorer,
            videos,
            journal,
            workers=workers,
            limits=limits,
            stopping=stopping,
            progress=_progress(bars, len(dict.fromkeys(videos))),
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


def _progress(bars: "Progress", total: int) -> "Callable[[Tally], None]":
    """A bar with the number of finished videos, the rate, failures and the remaining time."""
    task, began = bars.add_task("scoring", total=total), time.monotonic()

    def show(tally: "Tally") -> None:
        fresh = tally.scored + tally.failed
        rate = fresh / max(1e-9, time.monotonic() - began)
        speed = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.0f}/min"
        failed = f", {tally.failed} failed" if tally.failed else ""
        bars.update(task, completed=tally.resumed + fresh, description=f"scoring {speed}{failed}")

    return show


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
