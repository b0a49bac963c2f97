"""Put the plugin where FiftyOne looks: ``dover fiftyone install``."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dover_plugin.errors import SettingsError

FOLDER = "dover-quality"
ENTRY = '''"""Made by 'dover fiftyone install': the plugin is the installed package itself."""

from fiftyone_plugin import register

__all__ = ["register"]
'''


def install(plugins_dir: Path | None = None) -> Path:
    """Write a folder that FiftyOne takes for a plugin, and which leads to this package.

    Args:
        plugins_dir: where; by default where FiftyOne is configured to look.

    Returns:
        The folder.

    Raises:
        SettingsError: FiftyOne is not installed, or the folder cannot be written.
    """
    folder = (plugins_dir or _plugins_dir()) / FOLDER
    source = files("fiftyone_plugin")
    try:
        (folder / "fiftyone_plugin").mkdir(parents=True, exist_ok=True)
        (folder / "fiftyone.yml").write_text(source.joinpath("plugin.yml").read_text())
        (folder / "fiftyone_plugin/__init__.py").write_text(ENTRY)
        icon = source.joinpath("icon.svg").read_text()
        (folder / "fiftyone_plugin/icon.svg").write_text(icon)
    except OSError as error:
        raise SettingsError(f"Cannot write '{folder}': {error.strerror}.") from None
    return folder


def _plugins_dir() -> Path:
    if find_spec("fiftyone") is None:
        raise SettingsError(
            "FiftyOne is not installed. Run 'pip install \"dover-plugin[fiftyone]\"'."
        )
    import fiftyone as fo

    return Path(fo.config.plugins_dir)
