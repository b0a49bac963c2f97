"""compare_transcodes and group_transcodes."""

from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.text import counted
from fiftyone_plugin.fields import DEFAULT_FIELD
from fiftyone_plugin.operators import forms
from fiftyone_plugin.pairs import (
    AFTER,
    BEFORE,
    Pair,
    group_folders,
    pairs_by_field,
    pairs_by_group,
    pairs_by_name,
)
from fiftyone_plugin.targets import scorable
from fiftyone_plugin.transcodes import Comparison, check_view, compare

PAIRINGS = {
    "group": "slices of a group",
    "name": "file names",
    "field": "samples with an equal field",
}
VIEW = "lost quality"


class CompareTranscodes(forms.FormOperator):
    """Writes the quality difference of each transcode to its source."""

    id = "compare_transcodes"
    label = "compare transcodes"
    description = "Quality that each transcode lost against its source: before and after"
    button = "Compare"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Pairing of the videos, and the loss threshold."""
        field = forms.field_input(ctx, inputs)
        if field is not None:
            grouped = ctx.dataset.media_type == "group"
            pairings = {k: v for k, v in PAIRINGS.items() if grouped == (k == "group")}
            default = next(iter(pairings))
            if not grouped:
                forms.dropdown(inputs, "pair_by", pairings, default, "Pair by")
            pair_by = default if grouped else ctx.params.get("pair_by", default)
            _pairing_inputs(ctx, inputs, pair_by)
            inputs.float(
                "threshold",
                default=0.05,
                min=0,
                max=1,
                label="Loss threshold",
                description="A transcode lost quality if its overall score is lower by more",
            )
            inputs.str(
                "view_name",
                default=VIEW,
                label="Saved view",
                description="Name of the view of the differences, the largest loss first",
            )
            check_view(ctx.dataset, forms.given(ctx.params, "view_name", VIEW))
            _say_pairs(inputs, *_pairs(ctx.dataset, ctx.params))

    def act(self, ctx: Any) -> dict[str, Any]:
        """Write the differences and show the largest losses."""
        params = ctx.params
        pairs, unpaired = _pairs(ctx.dataset, params)
        done = compare(
            ctx.dataset,
            forms.chosen_field(ctx),
            pairs,
            unpaired=unpaired,
            threshold=forms.given(params, "threshold", 0.05),
            view=params.get("view_name") or VIEW,
        )
        ctx.trigger("reload_dataset")
        return done.to_dict()

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Summary of the comparison."""
        for i, (view, line) in enumerate(_words(results)):
            outputs.view(f"line{i}", view(label=line))
        if results["pairs"]:
            shown = {"kind": "view", "name": results["view"]}
            forms.show_button(outputs, shown, "Show pairs side by side, largest loss first")

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        field: str = DEFAULT_FIELD,
        pair_by: str = "group",
        before: str = BEFORE,
        after: str = AFTER,
        key: str = "",
        threshold: float = 0.05,
        view: str = VIEW,
    ) -> Comparison:
        """Compare from Python.

        Args:
            sample_collection: a dataset or view that holds sources and transcodes, scored.
            field: field of scores.
            pair_by: "group", "field" or "name".
            before: slice, tag or name pattern of the sources, such as "{key}.mp4".
            after: slice or name pattern of the transcodes; unused for "field".
            key: field to pair by, for "field".
            threshold: a larger decrease of overall counts as a loss.
            view: name of the saved view.

        Returns:
            What was found; differences are after minus before.

        Raises:
            SettingsError: no scores, no pairs, or pairs that are unclear.
        """
        params = {
            "pair_by": pair_by,
            "before_slice": before,
            "after_slice": after,
            "before_tag": before,
            "before_name": before,
            "after_name": after,
            "key": key,
        }
        pairs, unpaired = _pairs(sample_collection, params)
        return compare(
            sample_collection, field, pairs, unpaired=unpaired, threshold=threshold, view=view
        )


class GroupTranscodes(forms.FormOperator):
    """Creates a grouped dataset from two folders."""

    id = "group_transcodes"
    label = "group transcodes"
    description = "Create a dataset of before/after pairs from two folders"
    button = "Create"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Both folders and the name of the dataset."""
        del ctx
        inputs.str(
            "before", required=True, label="Source folder", description="Folder of the originals"
        )
        inputs.str(
            "after",
            required=True,
            label="Transcode folder",
            description="Folder of the transcodes, with the same names; suffixes may differ",
        )
        inputs.str(
            "name",
            required=True,
            label="Dataset",
            description="Name of the new dataset, which is opened",
        )

    def act(self, ctx: Any) -> dict[str, Any]:
        """Create the dataset and open it."""
        params = ctx.params
        dataset = group_folders(params["before"], params["after"], params["name"])
        ctx.trigger("open_dataset", {"dataset": dataset.name})
        return {"done": f"'{dataset.name}' holds {counted(len(dataset), 'group')}"}

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Summary of the new dataset."""
        outputs.view("head", types.Success(label=results["done"]))

    def __call__(self, before: str, after: str, name: str) -> fo.Dataset:
        """See fiftyone_plugin.transcodes.group_folders."""
        return group_folders(before, after, name)


def _pairing_inputs(ctx: Any, inputs: types.Object, pair_by: str) -> None:
    if pair_by == "group":
        slices = {name: name for name in ctx.dataset.group_slices}
        names = list(slices)
        before = BEFORE if BEFORE in slices else names[0]
        after = AFTER if AFTER in slices else names[-1]
        forms.dropdown(inputs, "before_slice", slices, before, "Sources")
        forms.dropdown(inputs, "after_slice", slices, after, "Transcodes")
    elif pair_by == "field":
        schema = ctx.dataset.get_field_schema(ftype=(fo.StringField, fo.IntField))
        fields = {name: name for name in schema if name != "filepath"}
        if not fields:
            raise SettingsError("No field holds text or whole numbers. Pair by file names.")
        forms.dropdown(
            inputs, "key", fields, next(iter(fields)), "Field that both videos of a pair share"
        )
        inputs.str("before_tag", default=BEFORE, label="Tag of the sources")
    else:
        hint = "{key} is the shared part of the name; * matches anything"
        inputs.str("before_name", default="{key}.mp4", label="Sources' names", description=hint)
        inputs.str("after_name", default="{key}_*.mp4", label="Transcodes' names")


def _pairs(samples: SampleCollection, params: dict[str, Any]) -> tuple[list[Pair], int]:
    if samples.media_type == "group" and params.get("pair_by", "group") == "group":
        before, after = params.get("before_slice", BEFORE), params.get("after_slice", AFTER)
        return pairs_by_group(samples, before, after)
    flat = scorable(samples)
    if params.get("pair_by", "name") == "field":
        key = params.get("key") or _first_key(flat)
        return pairs_by_field(flat, key, params.get("before_tag") or BEFORE)
    if params.get("pair_by") == "group":
        return pairs_by_group(samples, params["before_slice"], params["after_slice"])
    before = forms.given(params, "before_name", "{key}.mp4")
    return pairs_by_name(flat, before, forms.given(params, "after_name", "{key}_*.mp4"))


def _first_key(samples: SampleCollection) -> str:
    schema = samples.get_field_schema(ftype=(fo.StringField, fo.IntField))
    return next((name for name in schema if name != "filepath"), "")


def _say_pairs(inputs: types.Object, pairs: list[Pair], unpaired: int) -> None:
    if not pairs:
        raise SettingsError(f"No pairs. {counted(unpaired, 'sample')} have no counterpart.")
    rest = f"; {counted(unpaired, 'sample')} without a counterpart" if unpaired else ""
    forms.notice(inputs, "count", f"{counted(len(pairs), 'pair')}{rest}")


def _words(found: dict[str, Any]) -> list[tuple[type[types.View], str]]:
    """Lines of the summary."""
    lines: list[tuple[type[types.View], str]] = []
    if found["pairs"]:
        kind = types.Warning if found["lost"] else types.Success
        lines.append(
            (
                kind,
                f"{found['lost']:,} of {counted(found['pairs'], 'transcode')} lost more than "
                f"{found['threshold']:g}",
            )
        )
        lines.append(
            (
                types.Notice,
                f"On average {found['mean']:+.3f}, at worst {found['worst']:+.3f}; the saved view "
                f"'{found['view']}' lists the largest loss first",
            )
        )
    for count, what in (
        (found["unpaired"], "sample(s) have no counterpart"),
        (found["unscored"], "pair(s) lack a score"),
        (found["settings_mismatch"], "pair(s) have scores of different settings"),
    ):
        if count:
            lines.append((types.Warning, f"{count:,} {what}"))
    return lines
