"""Parts shared by the forms of all operators."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from dover_plugin.errors import DoverError
from fiftyone_plugin.fields import DEFAULT_FIELD, score_fields
from fiftyone_plugin.install import PLUGIN

ICON = "/fiftyone_plugin/icon.svg"
ICONS = {  # visible on FiftyOne's highlight, which has the colour of ICON
    "icon": ICON,
    "light_icon": "/fiftyone_plugin/icon-light.svg",
    "dark_icon": "/fiftyone_plugin/icon-dark.svg",
}
PREFIX = "DOVER: "


class FormOperator(foo.Operator):  # type: ignore[misc]
    """An operator with a form; errors of the core are shown in the form or in the result.

    Subclasses set the class attributes and implement ``fields``, ``act`` and ``outputs``.

    Attributes:
        id: name in the URI of the operator.
        label: label without the prefix.
        description: one line in the operator browser, which also searches it.
        button: label of the button that submits the form.
        options: more options of OperatorConfig.
    """

    id: str
    label: str
    description: str
    button: str
    options: dict[str, Any] = {}  # noqa: RUF012 - a constant

    @property
    def config(self) -> foo.OperatorConfig:
        """Name, label and icon."""
        return foo.OperatorConfig(
            name=self.id,
            label=PREFIX + self.label,
            description=self.description,
            dynamic=True,
            **ICONS,
            **self.options,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form; an error of the core is added below its fields."""
        inputs = types.Object()
        try:
            self.fields(ctx, inputs)
        except DoverError as error:
            problem(inputs, str(error))
        view = types.PromptView(label=PREFIX + self.label, submit_button_label=self.button)
        return types.Property(inputs, view=view)

    def execute(self, ctx: Any) -> dict[str, Any] | None:
        """The result, or an error of the core."""
        try:
            return self.act(ctx)
        except DoverError as error:
            return {"problem": str(error)}

    def resolve_output(self, ctx: Any) -> types.Property | None:
        """The result, or the error."""
        if not ctx.results:
            return None
        outputs = types.Object()
        if message := ctx.results.get("problem"):
            problem(outputs, message)
        else:
            self.outputs(ctx.results, outputs)
        return types.Property(outputs, view=types.View(label=PREFIX + self.label))

    def fields(self, ctx: Any, inputs: types.Object) -> None:
        """Add the fields of the form; may raise DoverError after the last one."""
        raise NotImplementedError

    def act(self, ctx: Any) -> dict[str, Any] | None:
        """Do the work; may raise DoverError."""
        raise NotImplementedError

    def outputs(self, results: dict[str, Any], outputs: types.Object) -> None:
        """Add what the result shows."""
        raise NotImplementedError


def problem(inputs: types.Object, message: str) -> None:
    """Show an error and make the form invalid."""
    summary, _, fix = message.partition(". ")
    view = types.Error(label=summary.rstrip("."), description=fix)
    inputs.view("problem", view)
    inputs.properties["problem"].invalid = True


def notice(inputs: types.Object, name: str, label: str, description: str = "") -> None:
    """Show an information line."""
    inputs.view(name, types.Notice(label=label, description=description))


def warning(inputs: types.Object, name: str, label: str, description: str = "") -> None:
    """Show a warning."""
    inputs.view(name, types.Warning(label=label, description=description))


def target(ctx: Any, inputs: types.Object, action: str) -> None:
    """Input for the target; the current view is the default, also if a sample is selected."""
    inputs.view_target(
        ctx,
        action_description=action,
        default_target="CURRENT_VIEW" if ctx.has_custom_view else "DATASET",
    )


def show_button(
    outputs: types.Object, shown: dict[str, Any], label: str = "Show them, worst first"
) -> None:
    """A button that shows the samples of a tag, a label field or a saved view; see ``show``."""
    outputs.btn(
        "show",
        label=label,
        variant="contained",
        on_click=f"{PLUGIN}/show_samples",
        params=shown,
    )


def given(params: dict[str, Any], name: str, default: Any) -> Any:
    """A parameter, or the default if it is absent or was cleared."""
    value = params.get(name)
    return default if value is None or value == "" else value


def field_input(ctx: Any, inputs: types.Object) -> str | None:
    """Input for a field of scores; None if there is none, with an error in the form."""
    fields = score_fields(ctx.dataset)
    if not fields:
        problem(inputs, "This dataset has no scores yet. Run 'DOVER: score videos' first.")
        return None
    if len(fields) > 1:
        choices = {name: name for name in fields}
        dropdown(inputs, "field", choices, fields[0], "Scores", "Field that holds the scores")
    chosen = ctx.params.get("field")
    return chosen if chosen in fields else fields[0]


def chosen_field(ctx: Any) -> str:
    """The field of scores that the form selected."""
    return ctx.params.get("field") or field_input(ctx, types.Object()) or DEFAULT_FIELD


def dropdown(
    inputs: types.Object,
    name: str,
    choices: dict[str, str],
    default: str,
    label: str,
    description: str | None = None,
) -> None:
    """Dropdown of choices {value: label}."""
    view = types.DropdownView()
    for value, shown in choices.items():
        view.add_choice(value, label=shown)
    inputs.enum(
        name, list(choices), default=default, label=label, description=description, view=view
    )


def switch(
    inputs: types.Object, name: str, label: str, description: str, default: bool = False
) -> None:
    """A switch."""
    inputs.bool(
        name, default=default, label=label, description=description, view=types.SwitchView()
    )
