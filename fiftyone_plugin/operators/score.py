"""score_videos: the form, and the run in the background of the App."""

from collections.abc import Sequence
from typing import Any

import fiftyone.core.utils as fou
import fiftyone.operators.types as types
from fiftyone.core.collections import SampleCollection

from dover_plugin.calibration import choose
from dover_plugin.errors import SettingsError
from dover_plugin.options import ModelOptions, comparable_settings
from dover_plugin.weights.registry import DEFAULT_MODEL, Published
from dover_plugin.weights.store import find
from fiftyone_plugin.fields import DEFAULT_FIELD, check_field, declare
from fiftyone_plugin.moments import find_moments
from fiftyone_plugin.operators import background, forms
from fiftyone_plugin.operators.refresh import hide_segments
from fiftyone_plugin.operators.score_form import (
    ask_labels,
    ask_license,
    ask_model,
    ask_more,
    chosen_labels,
    model_options,
    say_counts,
)
from fiftyone_plugin.runs import check_idle
from fiftyone_plugin.scoring import check_one_kind, run
from fiftyone_plugin.summary import Summary
from fiftyone_plugin.targets import scorable


class ScoreVideos(forms.FormOperator):
    """Scores a dataset, a view or a selection, and writes fields."""

    id = "score_videos"
    label = "score videos"
    description = "Video quality assessment (VQA): find blurry, noisy or compressed videos"
    button = "Score"
    options = {"allow_delegated_execution": True}  # noqa: RUF012 - a constant

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """A button above the samples."""
        del ctx
        button = types.Button(label="Score video quality", icon=forms.ICON, prompt=True)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Target, model, field and options."""
        params = ctx.params
        forms.target(ctx, inputs, "Score")
        ask_model(inputs, params)
        inputs.str(
            "field",
            default=DEFAULT_FIELD,
            label="Field",
            description="Field of the samples that the scores are written to",
        )
        forms.switch(
            inputs,
            "segments",
            "Score segments too",
            "Writes temporal detections with the scores of each part of a video",
        )
        if params.get("segments"):
            inputs.float(
                "seconds",
                default=10.0,
                min=0.5,
                label="Seconds per segment",
                description="Length of a segment; at least 0.5",
            )
        labels = None if params.get("segments") else ask_labels(ctx, inputs)
        forms.switch(
            inputs,
            "advanced",
            "More settings",
            "Weights, engine, precision, branches, repeats",
        )
        if params.get("advanced"):
            ask_more(inputs)
        settings = model_options(params)
        ask_license(inputs, settings, bool(params.get("accept_license")))
        check_idle(ctx.dataset)
        name = params.get("field") or DEFAULT_FIELD
        videos, moments = find_moments(ctx.target_view(), labels, name)
        check_one_kind(params.get("seconds") if params.get("segments") else None, moments)
        target = scorable(videos, settings["model"])
        if not len(target):
            raise SettingsError("There are no videos in this view. Choose another target.")
        check_field(ctx.dataset, name)
        choose(settings["fusion"], settings["model"])
        like = comparable_settings(**settings)
        say_counts(inputs, target, name, like, moments, params)

    def act(self, ctx: Any) -> dict[str, Any] | None:
        """Score: delegated, in the background of the App, or else at once."""
        params = ctx.params
        name = params.get("field") or DEFAULT_FIELD
        segments = bool(params.get("segments"))
        samples = ctx.target_view()
        progress = run(
            samples,
            lambda: _with_weights(params),
            name,
            overwrite=params.get("existing") == "overwrite",
            segment_seconds=forms.given(params, "seconds", 10.0) if segments else None,
            labels=None if segments else chosen_labels(params),
        )

        def prepare() -> None:
            videos, _ = find_moments(samples, None, name)
            scorable(videos, model_options(params)["model"])
            declare(ctx.dataset, name, segments=segments)
            if segments:
                hide_segments(ctx, name)

        return background.execute(ctx, progress, prepare, name)

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Counts of a run that has ended."""
        background.show(results, outputs)

    def __call__(
        self,
        sample_collection: SampleCollection,
        *,
        model: str = DEFAULT_MODEL,
        weights: str | None = None,
        device: str = "auto",
        engine: str = "auto",
        precision: str = "float32",
        fusion: str | None = None,
        repeats: int = 1,
        seed: int | None = None,
        branches: Sequence[str] | None = None,
        field: str = DEFAULT_FIELD,
        overwrite: bool = False,
        segment_seconds: float | None = None,
        labels: str | None = None,
        progress: bool | None = None,
    ) -> Summary:
        """Score from Python.

        Args:
            sample_collection: dataset or view of videos; in groups every slice of videos, of a
                clips view the videos of its clips.
            model: name of a model, such as "dover-open".
            weights: weights file to use in place of the published weights.
            device: "auto", "cpu", "cuda", ...
            engine: "auto", "torch", "openvino" or "onnxruntime".
            precision: "float32", or "float16" and "bfloat16" where the engine has them.
            fusion: "matched", "reference" or a calibration file; the model's best by default.
            repeats: number of random samples to average.
            seed: random seed; None selects centred samples.
            branches: branches to run, such as ("technical",); all of the model by default.
            field: field to write.
            overwrite: score samples again that have scores.
            segment_seconds: also score segments of this length.
            labels: field of temporal detections to score too. The scores become attributes of the
                labels, such as dover_overall. The clips of a clips view are scored without it.
            progress: show a progress bar; FiftyOne's default if None.

        Returns:
            Counts, and the failures.

        Raises:
            DoverError: invalid settings, weights or field, or a run that is in progress.
        """
        settings = ModelOptions(
            model=model,
            weights=weights,
            device=device,
            engine=engine,
            precision=precision,
            fusion=fusion,
            repeats=repeats,
            seed=seed,
            branches=tuple(branches) if branches else None,
        )
        scoring = run(
            sample_collection,
            lambda: settings,
            field,
            overwrite=overwrite,
            segment_seconds=segment_seconds,
            labels=labels,
        )
        summary = next(scoring)
        with fou.ProgressBar(total=summary.total, progress=progress) as bar:
            for summary in scoring:
                bar.set_iteration(summary.done)
        return summary


def _with_weights(params: dict[str, Any]) -> ModelOptions:
    """Settings of the form; downloads the weights if their license was accepted."""
    settings = model_options(params)
    accepted = bool(params.get("accept_license"))

    def consent(row: Published) -> bool:
        from dover_plugin.weights.store import consent_by_environment

        return accepted or consent_by_environment(row)

    weights = find(settings["model"], settings["weights"], consent=consent)
    return {**settings, "weights": str(weights)}
