"""score_videos and stop_scoring."""

import os
import re
from collections.abc import Iterator
from typing import Any

import fiftyone.core.utils as fou
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.calibration import choose
from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.options import ModelOptions, comparable_settings
from dover_plugin.weights.registry import DEFAULT_MODEL, MODELS, Published, published
from dover_plugin.weights.store import cached, find
from fiftyone_plugin.fields import DEFAULT_FIELD, check_field, is_scores, scored
from fiftyone_plugin.operators import forms
from fiftyone_plugin.scoring import REMOTE, Summary, make_scorer, score, videos, waiting

CHECKED_FILES = 1000  # files whose existence the form checks
STORE = "dover"


class ScoreVideos(foo.Operator):  # type: ignore[misc]
    """Scores a dataset, a view or a selection, and writes fields."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name, label and execution modes."""
        return forms.config(
            "score_videos",
            "score videos",
            "Technical, aesthetic and overall quality of every video",
            execute_as_generator=True,
            allow_delegated_execution=True,
        )

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """A button above the samples."""
        del ctx
        button = types.Button(label="Score video quality", icon=forms.ICON, prompt=True)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)

    @forms.guarded
    def resolve_input(self, ctx: Any, inputs: types.Object) -> types.Property:
        """Target, model, field and options."""
        inputs.view_target(ctx, action_description="Score")
        target = videos(ctx.target_view())
        if not len(target):
            raise SettingsError("There are no videos in this view. Choose another target.")
        shown = {model: f"{model}: {published(model).note}" for model in MODELS}
        forms.dropdown(inputs, "model", shown, DEFAULT_MODEL, "Model")
        settings = _settings(ctx.params)
        _say_licence(inputs, settings, bool(ctx.params.get("accept_license")))
        name = ctx.params.get("field") or DEFAULT_FIELD
        inputs.str("field", default=DEFAULT_FIELD, label="Field to write to")
        check_field(ctx.dataset, name)
        inputs.bool("segments", default=False, label="Score segments too", view=types.SwitchView())
        if ctx.params.get("segments"):
            inputs.float("seconds", default=10.0, min=0.5, label="Seconds per segment")
        inputs.bool("advanced", default=False, label="More settings", view=types.SwitchView())
        if ctx.params.get("advanced"):
            _more_settings(inputs)
        choose(settings["fusion"], settings["model"])
        _say_counts(ctx, inputs, target, name)
        return forms.form(inputs, "score videos", "Score")

    def execute(self, ctx: Any) -> Any:
        """Score; in the App as a generator, which shows progress and avoids timeouts."""
        return self._delegated(ctx) if ctx.delegated else self._in_app(ctx)

    def resolve_output(self, ctx: Any) -> types.Property | None:
        """Counts and a table of failures."""
        return _output(ctx.results) if "scored" in (ctx.results or {}) else None

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        model: str = DEFAULT_MODEL,
        weights: str | None = None,
        device: str = "auto",
        fusion: str | None = None,
        repeats: int = 1,
        seed: int | None = None,
        field: str = DEFAULT_FIELD,
        overwrite: bool = False,
        segment_seconds: float | None = None,
        progress: bool | None = None,
    ) -> Summary:
        """Score from Python.

        Args:
            sample_collection: dataset or view of videos; in groups every slice of videos.
            model: "dover-open", "dover", "dover-mobile" or "dover++".
            weights: weights file to use in place of the published weights.
            device: "auto", "cpu", "cuda", ...
            fusion: "matched", "reference" or a calibration file; the model's best by default.
            repeats: number of random samples to average.
            seed: random seed; None selects centred samples.
            field: field to write.
            overwrite: score samples again that have scores.
            segment_seconds: also score segments of this length.
            progress: show a progress bar; FiftyOne's default if None.

        Returns:
            Counts, and the failures.

        Raises:
            DoverError: invalid settings, weights or field.
        """
        scorer = make_scorer(
            model=model, weights=weights, device=device, fusion=fusion, repeats=repeats, seed=seed
        )
        run = score(
            sample_collection, scorer, field, overwrite=overwrite, segment_seconds=segment_seconds
        )
        summary = next(run)
        with fou.ProgressBar(total=summary.total, progress=progress) as bar:
            bar.set_iteration(summary.done)
            for summary in run:
                bar.set_iteration(summary.done)
        return summary

    def _run(self, ctx: Any) -> Iterator[Summary]:
        params = ctx.params
        settings = _settings(params)
        accepted = bool(params.get("accept_license"))
        settings["weights"] = str(
            find(
                settings["model"],
                settings["weights"] or None,
                consent=lambda row: accepted or _accepted_elsewhere(row),
            )
        )
        store, key = ctx.store(STORE), _stop_key(ctx)
        store.delete(key)
        yield from score(
            ctx.target_view(),
            make_scorer(**settings),
            params.get("field") or DEFAULT_FIELD,
            overwrite=params.get("existing") == "overwrite",
            segment_seconds=forms.given(params, "seconds", 10.0)
            if params.get("segments")
            else None,
            stop=lambda: store.get(key) is not None,
        )

    def _delegated(self, ctx: Any) -> dict[str, Any]:
        summary = None
        for summary in self._run(ctx):
            if summary.total:
                ctx.set_progress(summary.done / summary.total, label=_label(summary))
        assert summary is not None
        return _rows(summary.to_dict())

    def _in_app(self, ctx: Any) -> Iterator[Any]:
        yield ctx.ops.set_progress(label="Loading the model", progress=0)
        summary = None
        try:
            for summary in self._run(ctx):
                if summary.total:
                    share = summary.done / summary.total
                    yield ctx.ops.set_progress(label=_label(summary), progress=share)
        except DoverError as error:
            outputs = forms.error_output(self, str(error)).to_json()
            yield ctx.ops.show_output(outputs=outputs, results={})
            return
        assert summary is not None
        yield ctx.trigger("reload_dataset")
        results = summary.to_dict()
        yield ctx.ops.show_output(outputs=_output(results).to_json(), results=_rows(results))


class StopScoring(foo.Operator):  # type: ignore[misc]
    """Stops the run on this dataset at its next write."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return forms.config("stop_scoring", "stop scoring", "Keep what is scored, and stop")

    def execute(self, ctx: Any) -> None:
        """Ask the run to stop."""
        ctx.store(STORE).set(_stop_key(ctx), True)
        ctx.ops.notify("The run stops at its next write, within seconds; scores are kept.")


def _settings(params: dict[str, Any]) -> ModelOptions:
    """Options of Scorer; hidden fields of 'More settings' count as not set."""
    more = params if params.get("advanced") else {}
    return {
        "model": params.get("model") or DEFAULT_MODEL,
        "weights": more.get("weights") or None,
        "device": more.get("device") or "auto",
        "fusion": more.get("fusion") or None,
        "repeats": int(more.get("repeats") or 1),
    }


def _more_settings(inputs: types.Object) -> None:
    inputs.str(
        "weights",
        label="Weights",
        description="Weights file to use in place of the published weights",
    )
    inputs.str("device", default="auto", label="Device", description="auto, cpu, cuda or cuda:1")
    inputs.str(
        "fusion",
        label="Fusion",
        description="matched, reference, or a calibration file; empty for the default of the model",
    )
    inputs.int(
        "repeats",
        default=1,
        min=1,
        max=20,
        label="Repeats",
        description="Number of random samples to average",
    )


def _say_licence(inputs: types.Object, settings: ModelOptions, accepted: bool) -> None:
    """Ask for consent to the license if weights must be downloaded."""
    if settings["weights"]:
        find(settings["model"], settings["weights"])
        return
    row = published(settings["model"])
    if cached(row.model).is_file() or _accepted_elsewhere(row):
        return
    forms.warning(
        inputs,
        "licence",
        f"The weights of {row.model} ({row.size / 1e6:.0f} MB) are not on this machine",
        f"License: {row.licence}",
    )
    inputs.bool(
        "accept_license",
        default=False,
        label="Accept the license and download the weights",
        invalid=not accepted,
        error_message="Required unless 'More settings' selects a weights file",
    )


def _accepted_elsewhere(row: Published) -> bool:
    from dover_plugin.weights.store import consent_by_environment

    return consent_by_environment(row)


def _say_counts(ctx: Any, inputs: types.Object, target: SampleCollection, name: str) -> None:
    params = ctx.params
    total = len(target)
    like = comparable_settings(**_settings(params))
    todo = waiting(target, name, like if params.get("segments") else None)
    have = total - len(todo)
    if have:
        choices = {
            "skip": f"keep scores, score {total - have:,} others",
            "overwrite": "overwrite all scores",
        }
        forms.dropdown(
            inputs, "existing", choices, "skip", f"{forms.plural(have, 'video')} have scores"
        )
    if params.get("existing") == "overwrite":
        todo = target
    elif not len(todo):
        raise SettingsError(
            f"All {forms.plural(total, 'video')} have scores. Overwrite them, or use another field."
        )
    forms.notice(inputs, "count", f"{len(todo):,} of {forms.plural(total, 'video')} will be scored")
    _warn_of_other_settings(inputs, target, name, like, params.get("existing"))
    _warn_of_files(inputs, todo)


def _warn_of_other_settings(
    inputs: types.Object,
    target: SampleCollection,
    name: str,
    wanted: dict[str, Any],
    existing: str | None,
) -> None:
    """Warn if the field holds scores of other settings."""
    field = target.get_field(name)
    if existing == "overwrite" or field is None or not is_scores(field):
        return
    done = scored(target, name)
    for setting, value in wanted.items():
        others = [v for v in done.distinct(f"{name}.{setting}") if v != value]
        if others:
            forms.warning(
                inputs,
                "mixed",
                f"Field '{name}' holds scores with {setting} {', '.join(map(str, others))}",
                "Scores of different settings are not comparable. Overwrite them or choose another "
                "field.",
            )
            return


def _warn_of_files(inputs: types.Object, todo: SampleCollection) -> None:
    remote = len(todo.match(F("filepath").re_match(REMOTE)))
    if remote:
        forms.warning(
            inputs,
            "remote",
            f"Remote files are not supported: {forms.plural(remote, 'video')} will fail",
            "Download the files and set filepath to the local copies.",
        )
    paths = todo.limit(CHECKED_FILES).values("filepath")
    missing = [p for p in paths if not re.search(REMOTE, p) and not os.path.isfile(p)]  # noqa: PTH113
    if missing:
        of = f" of the first {CHECKED_FILES:,}" if len(paths) == CHECKED_FILES else ""
        forms.warning(
            inputs,
            "missing",
            f"{forms.plural(len(missing), 'file')}{of} missing; scoring will fail",
            f"Example: '{missing[0]}'.",
        )


def _stop_key(ctx: Any) -> str:
    return f"stop:{ctx.dataset.name}"


def _label(summary: Summary) -> str:
    failed = f", {summary.failed:,} failed" if summary.failed else ""
    return f"{summary.done:,} of {summary.total:,} scored{failed}"


def _rows(results: dict[str, Any]) -> dict[str, Any]:
    failures = [{"path": path, "error": error} for path, error in results["failures"]]
    return {**results, "failures": failures}


def _output(results: dict[str, Any]) -> types.Property:
    outputs = types.Object()
    head = f"{forms.plural(results['scored'], 'video')} scored"
    if results["failed"]:
        head += f", {results['failed']:,} failed"
    if results["skipped"]:
        head += f", {results['skipped']:,} had scores"
    if results["stopped"]:
        head += "; stopped; run again to resume"
    good = results["scored"] or not results["failed"]
    outputs.view("head", (types.Success if good else types.Error)(label=head))
    if results["failed"]:
        table = types.TableView()
        table.add_column("path", label="Video")
        table.add_column("error", label="Error")
        label = "Failures" + ("" if results["failed"] <= 100 else " (the first 100)")
        outputs.list("failures", types.Object(), view=table, label=label)
        outputs.view(
            "tagged", types.Notice(label="Failed samples carry the tag dover:failed and an error")
        )
    return types.Property(outputs, view=types.View(label="DOVER: video quality"))
