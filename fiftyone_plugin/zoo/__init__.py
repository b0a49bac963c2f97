"""DOVER as a remote source of FiftyOne's model zoo.

FiftyOne copies this folder and imports the copy, so this file imports nothing from beside it. Its
imports come from the installed package dover-plugin.
"""

from pathlib import Path
from typing import Any


def download_model(model_name: str, model_path: str) -> None:
    """Copy the weights of a model to FiftyOne's folder, and download them if necessary.

    A download needs consent to the license: set DOVER_ACCEPT_LICENSE=1.

    Args:
        model_name: name in the manifest, for example "dover/dover-mobile".
        model_path: path where FiftyOne expects the weights.

    Raises:
        LicenseError: the license was not accepted.
        WeightsError: the download failed or the file is damaged.
    """
    from shutil import copyfile

    from dover_plugin.weights.store import find

    Path(model_path).parent.mkdir(parents=True, exist_ok=True)
    copyfile(find(_model(model_name)), model_path)


def load_model(model_name: str, model_path: str, **kwargs: Any) -> Any:
    """Load a model for ``apply_model``.

    Args:
        model_name: name in the manifest, for example "dover/dover-mobile".
        model_path: path of the weights.
        kwargs: options of dover_plugin.Scorer, for example device, fusion, seed and repeats.

    Returns:
        A fiftyone_plugin.model.DoverModel.
    """
    from dover_plugin.scorer import Scorer
    from fiftyone_plugin.model import DoverModel

    return DoverModel(Scorer(_model(model_name), weights=model_path, **kwargs))


def resolve_input(model_name: str, ctx: Any) -> Any:
    """The form of the App for the arguments of ``load_model``."""
    del model_name, ctx
    import fiftyone.operators.types as types

    inputs = types.Object()
    inputs.str(
        "device", label="Device", default="auto", description="auto, cpu, cuda, cuda:1 or mps"
    )
    inputs.int(
        "repeats", label="Repeats", default=1, description="Number of random samples to average"
    )
    return types.Property(inputs)


def _model(model_name: str) -> str:
    """The name of the model in dover_plugin."""
    return model_name.rsplit("/", 1)[-1]
