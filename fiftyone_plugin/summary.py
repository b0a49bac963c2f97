"""Counts of a scoring run, in numbers and in words."""

from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN_FAILURES = 100


@dataclass
class Summary:
    """Progress and result of a run.

    Attributes:
        total: samples to score.
        skipped: samples that had scores.
        scored: samples scored by this run.
        failed: samples with an error.
        failures: path and error of the first hundred failures.
        stopped: whether the run was stopped early.
        run_key: key of the run record in the dataset; None if there was nothing to do.
        verb: what is done to the samples.
    """

    total: int
    skipped: int
    scored: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    run_key: str | None = None
    verb: str = "scored"

    @property
    def done(self) -> int:
        """Samples finished so far."""
        return self.scored + self.failed

    def count(self, path: str, error: str | None) -> None:
        """Count a finished sample."""
        if error is None:
            self.scored += 1
            return
        self.failed += 1
        if len(self.failures) < SHOWN_FAILURES:
            self.failures.append((path, error))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def counts(self) -> str:
        """Text such as "10 scored, 2 failed, 5 had scores"."""
        parts = [f"{self.scored:,} {self.verb}"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.skipped and self.done == self.total:
            parts.append(f"{self.skipped:,} skipped")
        return ", ".join(parts)

    def progress(self) -> str:
        """Text such as "12 of 47: 10 scored, 2 failed"."""
        return f"{self.done:,} of {self.total:,}: {self.counts()}"
