"""explain: the quality of one sample in words, with its quality map."""

from base64 import b64encode
from pathlib import PurePath
from typing import Any

import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.weights.registry import published
from dover_plugin.weights.store import find
from fiftyone_plugin.explanation import (
    Explanation,
    distortion_values,
    distortions_in_words,
    explain,
    quality_map,
)
from fiftyone_plugin.fields import DEFAULT_FIELD
from fiftyone_plugin.operators import forms
from fiftyone_plugin.scoring import make_scorer
from fiftyone_plugin.targets import scorable


class Explain(forms.FormOperator):
    """Explains the scores of the open or selected sample."""

    id = "explain"
    label = "explain"
    description = "Why a video has its score: distortions, rank, worst segments and quality map"
    button = "Explain"

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """A button in the open sample."""
        del ctx
        button = types.Button(label="Explain video quality", icon=forms.ICON, prompt=True)
        return types.Placement(types.Places.SAMPLES_VIEWER_ACTIONS, button)

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Options of the quality map."""
        _current(ctx)
        if forms.field_input(ctx, inputs) is None:
            return
        forms.switch(
            inputs,
            "distortions",
            "Find distortions",
            "Measures named distortions, unless 'find distortions' has; decodes all frames",
            True,
        )
        forms.switch(
            inputs,
            "map",
            "Draw the quality map",
            "Runs the model on this video for a few seconds",
            True,
        )
        if ctx.params.get("map", True):
            inputs.str(
                "weights",
                label="Weights",
                description="Weights file that the video was scored with, if it is your own",
            )

    def act(self, ctx: Any) -> dict[str, Any]:
        """Explain the scores, find distortions and draw the map."""
        params = ctx.params
        field = forms.chosen_field(ctx)
        samples = scorable(ctx.dataset)
        try:
            sample = samples[_current(ctx)]
        except KeyError:  # a clip or a patch
            raise SettingsError("This is a part of a video. Open the whole video.") from None
        found = explain(samples, sample, field)
        words, picture = in_markdown(found), None
        if params.get("distortions", True):
            try:
                distortions = distortions_in_words(distortion_values(sample))
                words += "\n\n**Distortions**: " + ("; ".join(distortions) or "none found") + "."
            except DoverError as error:
                words += f"\n\nDistortions could not be measured: {error}"
        if params.get("map", True):
            try:
                png = _map(found, sample[field].weights_sha256, params.get("weights") or None)
                picture = "data:image/png;base64," + b64encode(png).decode()
            except DoverError as error:
                words += f"\n\nNo map: {error}"
        bars = not published(sample[field].model).sampling.cut_bars
        return {"words": words, "map": picture, "bars": bars}

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Text, then the map."""
        outputs.str("words", view=types.MarkdownView())
        if results.get("map"):
            outputs.str(
                "map",
                label="Local quality within this video"
                + ("; ignore cells on black bars" if results.get("bars") else ""),
                view=types.ImageView(),
            )

    def __call__(
        self, sample_collection: SampleCollection, sample_id: str, *, field: str = DEFAULT_FIELD
    ) -> Explanation:
        """Explain from Python; see fiftyone_plugin.explanation, also for the map.

        Args:
            sample_collection: samples to rank the sample in.
            sample_id: id of the sample.
            field: field of scores.

        Raises:
            SettingsError: the sample has no scores.
        """
        flat = scorable(sample_collection)
        return explain(flat, flat[sample_id], field)


def _map(found: Explanation, weights_sha256: str, weights: str | None) -> bytes:
    file = str(find(found.model, weights))
    scorer = make_scorer(model=found.model, weights=file)
    if scorer.settings.weights_sha256 != weights_sha256:
        raise SettingsError(
            "The sample was scored with other weights. Select that weights file, or disable the "
            "quality map."
        )
    return quality_map(found.path, scorer)


def in_markdown(found: Explanation) -> str:
    """The explanation as text with tables."""
    lines = [
        f"**{PurePath(found.path).name}**",
        "",
        f"**{found.advice}** Scored with {found.model}.",
        "",
        "| score | value | grade | better than |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {p.name} | {p.score:.3f} | {p.word} | {p.percentile:.0f} % of this dataset |"
        for p in found.places
    ]
    if found.ranks:
        lines += ["", "| better than | technical | aesthetic |", "|---|---|---|"]
        for name, branches in found.ranks.items():
            shares = " | ".join(f"{branches[b]:.0f} %" for b in BRANCHES)
            lines.append(f"| of {name} | {shares} |")
    if found.worst_segments:
        parts = (moment.in_words() for moment in found.worst_segments)
        lines += ["", "**Worst segments**", "", *(f"- {part}" for part in parts)]
    lines += ["", *(f"Note: {warning}." for warning in found.warnings)]
    return "\n".join(lines)


def _current(ctx: Any) -> str:
    """Id of the open or selected sample."""
    if ctx.current_sample:
        return str(ctx.current_sample)
    if len(ctx.selected or ()) == 1:
        return str(ctx.selected[0])
    raise SettingsError("No video is open or selected. Open or select one, and try again.")
