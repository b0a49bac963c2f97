"""compare_transcodes and group_transcodes."""

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from fiftyone_plugin.fields import DEFAULT_FIELD
from fiftyone_plugin.operators import forms
from fiftyone_plugin.scoring import videos
from fiftyone_plugin.transcodes import (
    AFTER,
    BEFORE,
    Comparison,
    Pair,
    check_view,
    compare,
    group_folders,
    pairs_by_field,
    pairs_by_group,
    pairs_by_name,
)

PAIRINGS = {
    "group": "slices of a group",
    "name": "file names",
    "field": "samples that agree in a field",
}
VIEW = "lost quality"


class CompareTranscodes(foo.Operator):  # type: ignore[misc]
    """Writes what each transcode lost against its source."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config(
            "compare_transcodes", "compare transcodes", "What each transcode lost in quality"
        )

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """How videos pair, and what counts as a loss."""
        field = forms.field_input(ctx, inputs)
        if field is not None:
            grouped = ctx.dataset.media_type == "group"
            pairings = {k: v for k, v in PAIRINGS.items() if grouped == (k == "group")}
            default = next(iter(pairings))
            if not grouped:
                forms.dropdown(inputs, "pair_by", pairings, default, "Pair by")
            pair_by = default if grouped else ctx.params.get("pair_by", default)
            _pairing_inputs(ctx, inputs, pair_by)
            forms.share(inputs, "threshold", 0.05, "A loss is a fall of overall by more than")
            inputs.str("view_name", default=VIEW, label="Save as view")
            check_view(ctx.dataset, forms.given(ctx.params, "view_name", VIEW))
            _say_pairs(inputs, *_pairs(ctx.dataset, ctx.params))
        return forms.form(inputs, "compare transcodes", "Compare")

    @forms.answered
    def execute(self, ctx: Any) -> dict[str, Any]:
        """Write the differences, and show the greatest losses."""
        params = ctx.params
        pairs, unpaired = _pairs(ctx.dataset, params)
        done = compare(
            ctx.dataset,
            params.get("field") or _only_field(ctx),
            pairs,
            unpaired=unpaired,
            threshold=forms.given(params, "threshold", 0.05),
            view=params.get("view_name") or VIEW,
        )
        ctx.trigger("reload_dataset")
        return done.to_dict()

    @forms.shown
    def resolve_output(self, ctx: Any) -> types.Property:
        """The comparison in words."""
        outputs = types.Object()
        for i, (view, line) in enumerate(_words(ctx.results)):
            outputs.view(f"line{i}", view(label=line))
        return types.Property(outputs, view=types.View(label="DOVER: transcodes"))

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
            field: of scores.
            pair_by: "group", "field" or "name".
            before: the sources' slice, tag, or pattern of names such as "{key}.mp4".
            after: the transcodes' slice, or pattern of names; unused for "field".
            key: the field to pair by, for "field".
            threshold: a fall of overall by more than this counts as a loss.
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


class GroupTranscodes(foo.Operator):  # type: ignore[misc]
    """Makes a grouped dataset of two folders."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config(
            "group_transcodes",
            "group transcodes",
            "A dataset of before/after pairs, of two folders",
        )

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """The two folders, and a name."""
        del ctx
        inputs.str("before", required=True, label="Folder of the sources")
        inputs.str("after", required=True, label="Folder of the transcodes")
        inputs.str("name", required=True, label="Name of the new dataset")
        return forms.form(inputs, "group transcodes", "Make it")

    @forms.answered
    def execute(self, ctx: Any) -> dict[str, Any]:
        """Make it, and open it."""
        params = ctx.params
        dataset = group_folders(params["before"], params["after"], params["name"])
        ctx.trigger("open_dataset", {"dataset": dataset.name})
        return {"done": f"'{dataset.name}' holds {forms.plural(len(dataset), 'group')}"}

    @forms.shown
    def resolve_output(self, ctx: Any) -> types.Property:
        """What was made."""
        outputs = types.Object()
        outputs.view("head", types.Success(label=ctx.results["done"]))
        return types.Property(outputs, view=types.View(label="DOVER: transcodes"))

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
        forms.dropdown(inputs, "key", fields, next(iter(fields)), "Field that a pair shares")
        inputs.str("before_tag", default=BEFORE, label="Tag of the sources")
    else:
        hint = "{key} is what a pair shares; * is anything"
        inputs.str("before_name", default="{key}.mp4", label="Sources' names", description=hint)
        inputs.str("after_name", default="{key}_*.mp4", label="Transcodes' names")


def _pairs(samples: SampleCollection, params: dict[str, Any]) -> tuple[list[Pair], int]:
    if samples.media_type == "group" and params.get("pair_by", "group") == "group":
        before, after = params.get("before_slice", BEFORE), params.get("after_slice", AFTER)
        return pairs_by_group(samples, before, after)
    flat = videos(samples)
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
        raise SettingsError(f"No pairs. {forms.plural(unpaired, 'sample')} have no counterpart.")
    rest = f"; {forms.plural(unpaired, 'sample')} without a counterpart" if unpaired else ""
    forms.notice(inputs, "count", f"{forms.plural(len(pairs), 'pair')}{rest}")


def _words(found: dict[str, Any]) -> list[tuple[type[types.View], str]]:
    """Lines that say what was found."""
    lines: list[tuple[type[types.View], str]] = []
    if found["pairs"]:
        kind = types.Warning if found["lost"] else types.Success
        lines.append(
            (
                kind,
                f"{found['lost']:,} of {forms.plural(found['pairs'], 'transcode')} lost more than "
                f"{found['threshold']:g}",
            )
        )
        lines.append(
            (
                types.Notice,
                f"On average {found['mean']:+.3f}, at worst {found['worst']:+.3f}; the saved view "
                f"'{found['view']}' shows the greatest loss first",
            )
        )
    for count, what in (
        (found["unpaired"], "sample(s) have no counterpart"),
        (found["unscored"], "pair(s) lack a score"),
        (found["settings_mismatch"], "pair(s) were scored with different settings and cannot be compared"),
    ):
        if count:
            lines.append((types.Warning, f"{count:,} {what}"))
    return lines


def _only_field(ctx: Any) -> str:
    return forms.field_input(ctx, types.Object()) or DEFAULT_FIELD
