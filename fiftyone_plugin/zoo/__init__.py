"""DOVER as a remote source of FiftyOne's model zoo.

FiftyOne copies this folder into its own and runs this file from there, so it stands alone: what it
needs is installed with dover-plugin.
"""

from pathlib import Path
from typing import Any


def download_model(model_name: str, model_path: str) -> None:
    """Bring the weights, once their licence is accepted (DOVER_ACCEPT_LICENSE=1).

    Args:
        model_name: of the manifest, as "dover/dover-mobile".
        model_path: where FiftyOne wants them.
    """
    from shutil import copyfile

    from dover_plugin.weights.store import find

    Path(model_path).parent.mkdir(parents=True, exist_ok=True)
    copyfile(find(_model(model_name)), model_path)


def load_model(model_name: str, model_path: str, **kwargs: Any) -> Any:
    """Make the model.

    Args:
        model_name: of the manifest.
        model_path: of the weights.
        kwargs: of dover_plugin.Scorer: device, fusion, seed, repeats, engine, precision, decoder.
    """
    from dover_plugin.scorer import Scorer
    from fiftyone_plugin.model import DoverModel

    return DoverModel(Scorer(_model(model_name), weights=model_path, **kwargs))


def resolve_input(model_name: str, ctx: Any) -> Any:
    """The form in which the App asks for ``load_model``'s arguments."""
    del model_name, ctx
    import fiftyone.operators.types as types

    inputs = types.Object()
    inputs.str("device", label="Device", default="auto", description="auto, cpu, cuda, cuda:1, ...")
    inputs.int("repeats", label="Repeats", default=1, description="Average random draws")
    return types.Property(inputs)


def _model(model_name: str) -> str:
    return model_name.rsplit("/", 1)[-1]
