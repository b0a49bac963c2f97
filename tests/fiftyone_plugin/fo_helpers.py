"""Run operators as the App does: forms, execution, and the panel's events."""

import asyncio
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGIN = "@dover/quality"


def operator(name: str) -> Any:
    import fiftyone.operators as foo

    return foo.get_operator(f"{PLUGIN}/{name}")


def execute(name: str, dataset: Any, params: dict[str, Any] | None = None, **context: Any) -> Any:
    """The result of an operator, validated and executed by FiftyOne."""
    import fiftyone.operators as foo

    context = {"dataset": dataset, "params": params or {}, **context}
    return foo.execute_operator(f"{PLUGIN}/{name}", ctx=context).result


def form(name: str, dataset: Any, params: dict[str, Any] | None = None, **context: Any) -> Any:
    """The form's fields by name, as the App gets them."""
    from fiftyone.operators.executor import resolve_type
    from fiftyone.operators.registry import OperatorRegistry

    request = {
        "dataset_name": dataset.name,
        "params": params or {},
        "target": "inputs",
        **context,
    }
    if "view" in request:
        request["view"] = request["view"]._serialize()
    found = asyncio.run(resolve_type(OperatorRegistry(), f"{PLUGIN}/{name}", request))
    return found.to_json()["type"]["properties"]


def text(field: dict[str, Any]) -> str:
    """What a field of a form shows."""
    view = field["view"]
    return " ".join(part for part in (view.get("label"), view.get("description")) if part)


def problem(fields: dict[str, Any]) -> str:
    """The message of a form that cannot be submitted."""
    assert fields["problem"]["invalid"]
    return text(fields["problem"])
