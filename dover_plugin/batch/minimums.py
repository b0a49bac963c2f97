"""Minimum scores: which videos a data filter keeps, and why not."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dover_plugin.errors import SettingsError

COLUMNS = ("keep", "reason")


@dataclass(frozen=True)
class Minimums:
    """The lowest scores that are kept; None for no minimum.

    Attributes:
        technical: in [0, 1].
        aesthetic: in [0, 1].
        overall: in [0, 1].

    Raises:
        SettingsError: a value outside of [0, 1].
    """

    technical: float | None = None
    aesthetic: float | None = None
    overall: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 <= value <= 1:
                raise SettingsError(f"The minimum of the {name} score must be in [0, 1]: {value}.")

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def check(self, present: Sequence[str]) -> None:
        """Raise SettingsError unless videos have every score that has a minimum.

        Args:
            present: names of the scores that videos have; see Scorer.present.
        """
        for name, value in asdict(self).items():
            if value is not None and name not in present:
                raise SettingsError(
                    f"--min-{name} needs the {name} score, which these settings do not give. Use "
                    f"--min-{present[0]}, or another --model or --branch."
                )

    def columns(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The columns "keep" and "reason" of a row of scores; a failed video is not kept."""
        if row["error"] is not None:
            return {"keep": False, "reason": "not scored"}
        reasons = []
        for name, value in asdict(self).items():
            if value is None:
                continue
            if row[name] is None:
                reasons.append(f"no {name} score")
            elif row[name] < value:
                reasons.append(f"{name} {row[name]:.3f} is below {value:g}")
        return {"keep": not reasons, "reason": "; ".join(reasons) or None}


NO_MINIMUMS = Minimums()
