"""Scatter plot of scores against MOS."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dover_plugin.evaluation.metrics import correlations, logistic_fit
from dover_plugin.reporting.style import COLOURS, new_figure, save_figure
from dover_plugin.scores import SCORES

CURVE = 200  # points that a fit is drawn through


def scatter(rows: Sequence[dict[str, Any]], mos: Sequence[float], title: str, path: Path) -> None:
    """Plot the overall score against MOS, with the logistic fit, into a file.

    Without an overall score, that of the one branch is plotted.

    Raises:
        SettingsError: matplotlib is missing, or the file cannot be written.
    """
    name = next(score for score in SCORES if rows[0][score] is not None)
    scores = np.array([row[name] for row in rows])
    labels = np.asarray(mos, np.float64)
    found = correlations(scores.tolist(), labels.tolist())
    figure = new_figure((6, 5))
    axes = figure.add_subplot()
    axes.scatter(scores, labels, s=14, color=COLOURS["technical"], alpha=0.45, linewidths=0)
    along = np.linspace(scores.min(), scores.max(), CURVE)
    fitted = logistic_fit(scores.tolist(), labels.tolist(), along)
    axes.plot(along, fitted, color=COLOURS["aesthetic"], linewidth=2, label="logistic fit")
    axes.set(xlabel=f"{name} score", ylabel="MOS", title=title)
    axes.text(
        0.97,
        0.04,
        f"SROCC {found.srocc:.3f}\nPLCC {found.plcc:.3f}\n{found.videos} videos",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
    )
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    save_figure(figure, path)
