"""stop_scoring: cancel the run of a dataset."""

from typing import Any

import fiftyone.operators.types as types

from dover_plugin.errors import SettingsError
from fiftyone_plugin.operators import forms
from fiftyone_plugin.runs import cancel, latest

IDLE = "No run is in progress on this dataset."


class StopScoring(forms.FormOperator):
    """Cancels the run on this dataset; scores are kept."""

    id = "stop_scoring"
    label = "stop scoring"
    description = "Cancel the scoring run of this dataset; scores are kept"
    button = "Stop the run"

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """What the run has done so far."""
        state = latest(ctx.dataset)
        if state is None or not state.active:
            raise SettingsError(IDLE)
        forms.notice(inputs, "state", state.in_words(), "Scores are kept. Score again to resume.")

    def act(self, ctx: Any) -> None:
        """Ask the run to stop."""
        if not cancel(ctx.dataset):
            raise SettingsError(IDLE)
        ctx.ops.notify("The run stops after the current video. Scores are kept.")
