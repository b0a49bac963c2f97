"""Match the videos of two folders by name."""

from pathlib import Path

from dover_plugin.errors import SettingsError
from dover_plugin.io.files import find_videos


def match_folders(before: Path, after: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Videos of two folders that have the same name but for the suffix.

    Returns:
        The pairs, sorted, and what has no counterpart.

    Raises:
        SettingsError: two videos of one name in a folder, or no pair at all.
    """
    named: list[dict[str, Path]] = []
    for folder in (before, after):
        names: dict[str, Path] = {}
        for file in map(Path, find_videos([str(folder)])):
            if not file.is_file():
                continue
            key = file.relative_to(folder).with_suffix("").as_posix()
            if key in names:
                raise SettingsError(
                    f"'{folder}' holds two videos named '{key}': '{names[key].name}' and "
                    f"'{file.name}'. Rename one."
                )
            names[key] = file
        named.append(names)
    old, new = named
    if not old.keys() & new.keys():
        raise SettingsError(f"No video in '{before}' has the name of one in '{after}'.")
    pairs = [(old[key], new[key]) for key in sorted(old.keys() & new.keys())]
    alone = [(old | new)[key] for key in sorted(old.keys() ^ new.keys())]
    return pairs, alone
