"""Install the plugin into FiftyOne's plugins directory: ``dover fiftyone install``."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dover_plugin import __version__
from dover_plugin.errors import SettingsError

FOLDER = "dover-quality"
PLUGIN = "@dover/quality"
ASSETS = ("icon.svg", "icon-light.svg", "icon-dark.svg", "app.js")
ENTRY = '''"""Written by 'dover fiftyone install'; the plugin is the installed package."""

from fiftyone_plugin import register

__all__ = ["register"]
'''


def install(plugins_dir: Path | None = None) -> Path:
    """Write a plugin folder that refers to this package.

    Args:
        plugins_dir: plugins directory; FiftyOne's configured one by default.

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
        (folder / "requirements.txt").write_text(f"dover-plugin[fiftyone]=={__version__}\n")
        for name in ASSETS:
            (folder / "fiftyone_plugin" / name).write_text(source.joinpath(name).read_text())
    except OSError as error:
        raise SettingsError(f"Cannot write '{folder}': {error.strerror}.") from None
    return folder


def duplicates(folder: Path) -> list[Path]:
    """Other folders beside ``folder`` that hold this plugin; FiftyOne refuses two of one name."""
    found = []
    for manifest in sorted(folder.parent.rglob("fiftyone.yml")):
        is_this = manifest.parent.resolve() == folder.resolve()
        if not is_this and f'name: "{PLUGIN}"' in manifest.read_text(errors="replace"):
            found.append(manifest.parent)
    return found


def _plugins_dir() -> Path:
    if find_spec("fiftyone") is None:
        raise SettingsError(
            "FiftyOne is not installed. Run 'pip install \"dover-plugin[fiftyone]\"'."
        )
    import fiftyone as fo

    return Path(fo.config.plugins_dir)
