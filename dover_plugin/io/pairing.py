"""Match the videos of two folders by name."""

from pathlib import Path

from dover_plugin.errors import SettingsError
from dover_plugin.io.files import search_folder


def match_folders(before: Path, after: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Pair the videos of two folders whose relative paths are equal except for the suffix.

    Returns:
        The pairs, sorted, and the videos without a counterpart.

    Raises:
        SettingsError: two videos of a folder have one name, a folder cannot be read, or no video
            has a counterpart.
    """
    sources, transcodes = videos_by_name(before), videos_by_name(after)
    names = sources.keys() & transcodes.keys()
    if not names:
        raise SettingsError(
            f"No video in '{before}' has the name of a video in '{after}' (suffixes may differ)."
        )
    pairs = [(sources[name], transcodes[name]) for name in sorted(names)]
    alone = [(sources | transcodes)[name] for name in sorted(sources.keys() ^ transcodes.keys())]
    return pairs, alone


def videos_by_name(folder: Path) -> dict[str, Path]:
    """Videos below a folder by their relative path without a suffix.

    Raises:
        SettingsError: two videos have one name, or a folder cannot be read.
    """
    found = search_folder(str(folder))
    if found.unreadable:
        raise SettingsError(
            f"Cannot list the folder '{found.unreadable[0]}'. Check its permissions."
        )
    videos: dict[str, Path] = {}
    for file in map(Path, found.videos):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in videos:
            raise SettingsError(
                f"'{folder}' holds two videos named '{name}': '{videos[name].name}' and "
                f"'{file.name}'. Rename one."
            )
        videos[name] = file
    return videos
