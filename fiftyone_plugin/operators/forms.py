"""Parts shared by the forms of all operators."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from dover_plugin.errors import DoverError
from fiftyone_plugin.fields import score_fields

ICON = "/fiftyone_plugin/icon.svg"
PREFIX = "DOVER: "


def config(name: str, label: str, description: str, **options: Any) -> foo.OperatorConfig:
    """Config of an operator with icon and dynamic form."""
    return foo.OperatorConfig(
        name=name, label=PREFIX + label, description=description, dynamic=True, icon=ICON, **options
    )


def form(inputs: types.Object, label: str, button: str) -> types.Property:
    """A form with a title and a button."""
    view = types.PromptView(label=PREFIX + label, submit_button_label=button)
    return types.Property(inputs, view=view)


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


def guarded(
    resolve: Callable[[Any, Any, types.Object], types.Property],
) -> Callable[[Any, Any], types.Property]:
    """Convert errors of the core into a form that shows them.

    ``resolve`` fills the given inputs and returns the form; it may raise DoverError half-way.
    """

    @wraps(resolve)
    def call(self: Any, ctx: Any) -> types.Property:
        inputs = types.Object()
        try:
            return resolve(self, ctx, inputs)
        except DoverError as error:
            problem(inputs, str(error))
            return types.Property(inputs, view=types.View(label=self.config.label))

    return call


def answered(
    execute: Callable[[Any, Any], dict[str, Any]],
) -> Callable[[Any, Any], dict[str, Any]]:
    """Convert errors of the core into a result that ``shown`` shows."""

    @wraps(execute)
    def call(self: Any, ctx: Any) -> dict[str, Any]:
        try:
            return execute(self, ctx)
        except DoverError as error:
            return {"problem": str(error)}

    return call


def shown(
    resolve: Callable[[Any, Any], types.Property],
) -> Callable[[Any, Any], types.Property]:
    """The counterpart of ``answered`` for resolve_output."""

    @wraps(resolve)
    def call(self: Any, ctx: Any) -> types.Property:
        message = (ctx.results or {}).get("problem")
        return error_output(self, message) if message else resolve(self, ctx)

    return call


def error_output(operator: Any, message: str) -> types.Property:
    """Output that shows an error."""
    outputs = types.Object()
    problem(outputs, message)
    return types.Property(outputs, view=types.View(label=operator.config.label))


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
        inputs.enum("field", fields, default=fields[0], label="Scores", view=types.DropdownView())
    chosen = ctx.params.get("field")
    return chosen if chosen in fields else fields[0]


def dropdown(
    inputs: types.Object, name: str, choices: dict[str, str], default: str, label: str, **more: Any
) -> None:
    """Dropdown of choices {value: label}."""
    view = types.DropdownView()
    for value, shown in choices.items():
        view.add_choice(value, label=shown)
    inputs.enum(name, list(choices), default=default, label=label, view=view, **more)


def share(inputs: types.Object, name: str, default: float, label: str, **more: Any) -> None:
    """Input for a number from 0 to 1."""
    inputs.float(name, default=default, min=0, max=1, label=label, **more)


def plural(count: int, noun: str) -> str:
    """Text such as '1 sample' or '1,200 samples'."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
