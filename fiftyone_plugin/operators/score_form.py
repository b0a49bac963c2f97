"""Parts of the form of score_videos: model, settings, license and counts."""

import os
import re
from typing import Any

import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.engines.factory import ENGINES
from dover_plugin.errors import SettingsError
from dover_plugin.options import ModelOptions
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.text import counted
from dover_plugin.weights.registry import DEFAULT_MODEL, MODELS, published
from dover_plugin.weights.store import cached, consent_by_environment, find
from fiftyone_plugin.fields import is_scores, scored
from fiftyone_plugin.moments import Moments, label_fields
from fiftyone_plugin.operators import forms
from fiftyone_plugin.targets import REMOTE, waiting

CHECKED_FILES = 1000  # files whose existence the form checks
DEVICES = ("auto", "cpu", "cuda", "cuda:1", "mps")
PRECISIONS = ("float32", "bfloat16", "float16")
# Values of dropdowns that choose nothing; the App shows an empty field for an empty value.
NO_LABELS, ALL_BRANCHES, BEST_FUSION = "none", "all", "default"
FUSIONS = {
    BEST_FUSION: "default of the model",
    "matched": "matched: constants measured on the model",
    "reference": "reference: constants of the reference implementation",
}


def model_options(params: dict[str, Any]) -> ModelOptions:
    """Options of Scorer; hidden fields of 'More settings' count as not set."""
    more = params if params.get("advanced") else {}
    branch = _chosen(more, "branch", ALL_BRANCHES)
    return {
        "model": params.get("model") or DEFAULT_MODEL,
        "weights": _path(more.get("weights")),
        "device": more.get("device") or "auto",
        "engine": more.get("engine") or "auto",
        "precision": more.get("precision") or "float32",
        "fusion": _path(more.get("calibration")) or _chosen(more, "fusion", BEST_FUSION),
        "repeats": int(more.get("repeats") or 1),
        "branches": (branch,) if branch else None,
        "seed": None if more.get("seed") in (None, "") else int(more["seed"]),
    }


def ask_model(inputs: types.Object, params: dict[str, Any]) -> None:
    """Dropdown of models; description, agreement, license and size of the chosen one."""
    chosen = published(params.get("model") or DEFAULT_MODEL)
    where = "on this machine" if cached(chosen.model).is_file() else "to download"
    forms.dropdown(
        inputs,
        "model",
        {model: model for model in MODELS},
        DEFAULT_MODEL,
        "Model",
        f"{chosen.note}. Correlation with human ratings: {chosen.agreement}. "
        f"{chosen.license.partition(':')[0]}; {chosen.size / 1e6:.0f} MB {where}",
    )


def ask_labels(ctx: Any, inputs: types.Object) -> str | None:
    """Dropdown of the user's fields of temporal detections; the chosen one."""
    fields = label_fields(ctx.dataset)
    if not fields:
        return None
    forms.dropdown(
        inputs,
        "labels",
        {NO_LABELS: "none", **{name: name for name in fields}},
        NO_LABELS,
        "Labels to score too",
        "Scores become attributes of the temporal detections. A clips view needs no choice here",
    )
    return chosen_labels(ctx.params)


def chosen_labels(params: dict[str, Any]) -> str | None:
    """The field of labels that the form selected."""
    return _chosen(params, "labels", NO_LABELS)


def ask_more(inputs: types.Object) -> None:
    """Settings that most users leave alone."""
    _ask_file(inputs, "weights", "Weights", "Weights file to use in place of the published weights")
    engines = {name: name for name in ENGINES}
    forms.dropdown(inputs, "engine", engines, "auto", "Engine", "Library that runs the networks")
    view = types.AutocompleteView(allow_user_input=True)
    for device in DEVICES:
        view.add_choice(device, label=device)
    inputs.str(
        "device",
        default="auto",
        label="Device",
        description="auto uses CUDA if it is available, else the CPU",
        view=view,
    )
    precisions = {name: name for name in PRECISIONS}
    forms.dropdown(
        inputs,
        "precision",
        precisions,
        "float32",
        "Precision",
        "float16 needs CUDA; bfloat16 needs CUDA or OpenVINO",
    )
    forms.dropdown(
        inputs,
        "fusion",
        FUSIONS,
        BEST_FUSION,
        "Fusion",
        "Constants that map raw outputs to scores in [0, 1]",
    )
    forms.dropdown(
        inputs,
        "branch",
        {ALL_BRANCHES: "all of the model", **{name: f"{name} alone" for name in BRANCHES}},
        ALL_BRANCHES,
        "Branches",
        "One branch alone costs less; the other scores stay empty",
    )
    _ask_file(inputs, "calibration", "Calibration file", "File of 'dover calibrate', as fusion")
    inputs.int(
        "repeats",
        default=1,
        min=1,
        max=20,
        label="Repeats",
        description="Number of random samples of frames to average; 1 to 20",
    )
    inputs.int(
        "seed",
        min=0,
        label="Seed",
        description="Random seed; empty for centred samples, which need no seed",
    )


def ask_license(inputs: types.Object, settings: ModelOptions, accepted: bool) -> None:
    """Ask for consent to the license if weights must be downloaded."""
    if settings["weights"]:
        find(settings["model"], settings["weights"])
        return
    row = published(settings["model"])
    if cached(row.model).is_file() or consent_by_environment(row):
        return
    if row.commercial:
        size = f"{row.size / 1e6:.0f} MB"
        forms.notice(inputs, "license", f"Scoring downloads {size}", f"License: {row.license}")
        return
    forms.warning(
        inputs,
        "license",
        f"The weights of {row.model} ({row.size / 1e6:.0f} MB) are not on this machine",
        f"License: {row.license}",
    )
    inputs.bool(
        "accept_license",
        default=False,
        label="Accept the license and download the weights",
        description=f"Source: {row.urls[0] if row.urls else 'the package'}",
        invalid=not accepted,
        error_message="Required unless 'More settings' selects a weights file",
    )


def say_counts(
    inputs: types.Object,
    target: SampleCollection,
    name: str,
    like: dict[str, Any],
    moments: Moments | None,
    params: dict[str, Any],
) -> None:
    """Say how many samples will be scored, by the rule of the run itself.

    Raises:
        SettingsError: all samples have scores.
    """
    total = len(target)
    todo = waiting(target, name, like if params.get("segments") or moments else None, moments)
    have = total - len(todo)
    overwrite = params.get("existing") == "overwrite"
    if have:
        rest = f"score the other {total - have:,}" if total > have else "score none"
        choices = {"skip": f"keep them, {rest}", "overwrite": "overwrite all scores"}
        label = f"{counted(have, 'video')} {'has' if have == 1 else 'have'} scores"
        forms.dropdown(inputs, "existing", choices, "skip", label)
        if overwrite:
            todo = target
        elif total == have:
            raise SettingsError(
                f"All {counted(total, 'video')} have scores. Overwrite them, or use another field."
            )
    labels = ""
    if moments:
        number = sum(map(len, moments.by_sample().values()))
        labels = f"The scores of {counted(number, 'label')} are written to '{moments.labels}'"
    scored_ones = f"{len(todo):,} of {counted(total, 'video')} will be scored"
    forms.notice(inputs, "count", scored_ones, labels)
    if not (have and overwrite):
        _warn_of_other_settings(inputs, target, name, like)
    _warn_of_files(inputs, todo)


def _chosen(params: dict[str, Any], name: str, nothing: str) -> str | None:
    """The value of a dropdown; None for ``nothing``."""
    value: str | None = params.get(name)
    return None if value in (None, "", nothing) else value


def _path(value: Any) -> str | None:
    """Path of a file chooser, which gives an object, or of a text."""
    found = value.get("absolute_path") if isinstance(value, dict) else value
    return found or None


def _ask_file(inputs: types.Object, name: str, label: str, description: str) -> None:
    inputs.file(
        name,
        label=label,
        description=description,
        view=types.FileExplorerView(choose_button_label="Choose", button_label="Choose a file"),
    )


def _warn_of_other_settings(
    inputs: types.Object, target: SampleCollection, name: str, wanted: dict[str, Any]
) -> None:
    """Warn if the field holds scores of other settings."""
    field = target.get_field(name)
    if field is None or not is_scores(field):
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
            f"Remote files are not supported: {counted(remote, 'video')} will fail",
            "Download the files and set filepath to the local copies.",
        )
    paths = todo.limit(CHECKED_FILES).values("filepath")
    missing = [p for p in paths if not re.search(REMOTE, p) and not os.path.isfile(p)]  # noqa: PTH113
    if missing:
        of = f" of the first {CHECKED_FILES:,}" if len(paths) == CHECKED_FILES else ""
        forms.warning(
            inputs,
            "missing",
            f"{counted(len(missing), 'file')}{of} missing; scoring will fail",
            f"Example: '{missing[0]}'.",
        )
