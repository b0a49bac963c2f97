"""find_distortions and tag_distortions."""

from collections.abc import Mapping
from typing import Any

import fiftyone.core.utils as fou
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.analysis.distortions import DISTORTIONS
from dover_plugin.errors import SettingsError
from dover_plugin.text import counted
from fiftyone_plugin.distortions import (
    DISTORTION_FIELD,
    DistortionRule,
    by_name,
    declare,
    distortion_fields,
    find_distortions,
    waiting,
)
from fiftyone_plugin.low_quality import mark
from fiftyone_plugin.operators import background, forms
from fiftyone_plugin.runs import check_idle
from fiftyone_plugin.summary import Summary
from fiftyone_plugin.targets import scorable


class FindDistortions(forms.FormOperator):
    """Measures named distortions of videos; needs no model."""

    id = "find_distortions"
    label = "find distortions"
    description = (
        "Measure blur, noise, blockiness, banding, dark, frozen, black or duplicated frames"
    )
    button = "Measure"
    options = {"allow_delegated_execution": True}  # noqa: RUF012 - a constant

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Target and field."""
        params = ctx.params
        forms.target(ctx, inputs, "Measure")
        inputs.str(
            "field",
            default=DISTORTION_FIELD,
            label="Field",
            description="Field of the samples that the values are written to",
        )
        forms.switch(inputs, "overwrite", "Measure again", "Also measure videos that have values")
        check_idle(ctx.dataset)
        target = scorable(ctx.target_view())
        field = params.get("field") or DISTORTION_FIELD
        todo = target if params.get("overwrite") else waiting(target, field)
        total = counted(len(target), "video")
        if not len(todo):
            raise SettingsError(f"All {total} were measured. Switch on 'Measure again'.")
        forms.notice(
            inputs,
            "count",
            f"{len(todo):,} of {total} will be measured",
            "All frames are decoded once; no model is needed.",
        )

    def act(self, ctx: Any) -> dict[str, Any] | None:
        """Measure: delegated, in the background of the App, or else at once."""
        field = ctx.params.get("field") or DISTORTION_FIELD
        progress = find_distortions(
            ctx.target_view(), field, overwrite=bool(ctx.params.get("overwrite"))
        )

        def prepare() -> None:
            declare(ctx.dataset, field)

        return background.execute(ctx, progress, prepare, field)

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Counts of a run that has ended."""
        background.show(results, outputs)

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        field: str = DISTORTION_FIELD,
        overwrite: bool = False,
        progress: bool | None = None,
    ) -> Summary:
        """Measure from Python.

        Args:
            sample_collection: dataset or view of videos.
            field: field to write.
            overwrite: measure samples again that were measured.
            progress: show a progress bar; FiftyOne's default if None.

        Returns:
            Counts, and the failures.

        Raises:
            SettingsError: a field that holds something else, or a run that is in progress.
        """
        run = find_distortions(sample_collection, field, overwrite=overwrite)
        summary = next(run)
        with fou.ProgressBar(total=summary.total, progress=progress) as bar:
            for summary in run:
                bar.set_iteration(summary.done)
        return summary


class TagDistortions(forms.FormOperator):
    """Tags samples that show a distortion, with a threshold for each."""

    id = "tag_distortions"
    label = "tag distortions"
    description = "Tag blurry, noisy, blocky, banding, dark, frozen or black videos"
    button = "Tag"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """A threshold for each distortion, with the number of videos that it matches."""
        forms.target(ctx, inputs, "Search")
        known = distortion_fields(ctx.dataset)
        if not known:
            raise SettingsError(
                "No distortions were measured. Run 'DOVER: find distortions' first."
            )
        if len(known) > 1:
            choices = {name: name for name in known}
            forms.dropdown(inputs, "field", choices, known[0], "Distortions", "Field of the values")
        samples = scorable(ctx.target_view())
        field = _field(ctx)
        total = samples.count(f"{field}.tags") and len(samples) - len(waiting(samples, field))
        matches = 0
        for distortion in DISTORTIONS:
            limit = ctx.params.get(_limit_name(distortion.name), distortion.visible)
            hits = (
                len(DistortionRule(distortion.name, limit).find(samples, field))
                if _given(limit)
                else 0
            )
            matches += bool(hits)
            side = "up to" if distortion.strong < distortion.visible else "from"
            inputs.float(
                _limit_name(distortion.name),
                default=distortion.visible,
                label=f"{distortion.name.capitalize()} in {distortion.unit}: {hits:,} of {total:,}",
                description=f"Tag '{distortion.tag}' {side} this value; strong {side} "
                f"{distortion.strong:g}. Empty for no tag",
                view=types.FieldView(space=6),
            )
        if not matches:
            raise SettingsError(
                "No video shows a distortion at these thresholds. Change a threshold."
            )

    def act(self, ctx: Any) -> dict[str, Any]:
        """Tag the samples."""
        limits = {
            distortion.name: limit
            for distortion in DISTORTIONS
            if _given(limit := ctx.params.get(_limit_name(distortion.name), distortion.visible))
        }
        counts = self(ctx.target_view(), field=_field(ctx), limits=limits)
        ctx.trigger("reload_dataset")
        return {"counts": counts}

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Number of samples per tag."""
        counts = results["counts"]
        words = ", ".join(f"{tag} {count:,}" for tag, count in counts.items())
        outputs.view("head", types.Success(label=f"Tagged: {words}"))
        forms.show_button(outputs, {"kind": "tag", "name": list(counts)})
        outputs.view("undo", types.Notice(label="'DOVER: undo low-quality mark' reverts a tag"))

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        field: str = DISTORTION_FIELD,
        limits: Mapping[str, float] | None = None,
    ) -> dict[str, int]:
        """Tag from Python: ``op(dataset, limits={"blur": 8})``.

        Args:
            sample_collection: dataset or view.
            field: field of distortions.
            limits: {distortion: value from which a video shows it}; by default all, from where they
                are visible.

        Returns:
            Number of samples by tag, without tags that no sample gets.

        Raises:
            SettingsError: no distortions were measured, or one that does not exist.
        """
        if limits is None:
            limits = {distortion.name: distortion.visible for distortion in DISTORTIONS}
        counts = {}
        for name, limit in limits.items():
            rule, tag = DistortionRule(name, limit), by_name(name).tag
            if len(rule.find(scorable(sample_collection), field)):
                counts[tag] = mark(sample_collection, field, rule, "tag", tag)
        return counts


def _limit_name(distortion: str) -> str:
    return f"limit_{distortion}"


def _given(limit: Any) -> bool:
    return limit is not None and limit != ""


def _field(ctx: Any) -> str:
    known = distortion_fields(ctx.dataset)
    chosen = ctx.params.get("field")
    return str(chosen if chosen in known else known[0])
