"""Tables of labels: CSV, Parquet, and the files of the reference."""

import csv
import fnmatch
import os
from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path

import numpy as np
import pandas as pd

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.labels import SPLITS, LabelledVideo, some

UNKNOWN = -1  # how the reference's files say so
NAMES = {
    "file": ("file", "path", "video", "filename", "name", "flickr_id"),
    "overall": ("overall", "mos", "label", "score"),
    "technical": ("technical", "technical_mos"),
    "aesthetic": ("aesthetic", "aesthetic_mos"),
    "group": ("group", "content", "scene"),
    "ladder": ("ladder",),
    "cut_from": ("cut_from",),
    "split": ("split", "subset"),
}


def read_labels(
    path: Path,
    videos: Path,
    *,
    branches: bool = True,
    pattern: str = "{name}",
    also: str = "",
) -> list[LabelledVideo]:
    """Read a table of labels.

    A CSV with headers (``file`` and ``overall``, and if known ``technical``, ``aesthetic``,
    ``group``, ``ladder``, ``cut_from``, ``split``; some other names are understood), or a file of
    the reference without headers: ``file, aesthetic, technical, overall``, -1 where unknown.

    Args:
        path: the table.
        videos: the folder that the files' names start from.
        branches: whether a file without headers tells aesthetic and technical opinions; most of
            the reference's hold length and frame rate in these places.
        pattern: how a name without a suffix becomes a file's, as "{name}.mp4".
        also: names of other columns of numbers, as "noise,blur_*".

    Raises:
        SettingsError: what is wrong with the table, and in which rows.
    """
    table = _read(path)
    _check_columns(table, path)
    names = [str(name).strip() for name in table["file"]]
    table["file"] = [n if Path(n).suffix else pattern.format(name=n) for n in names]
    besides = _columns(table, also, path)
    _check(table, path, besides)
    if not (branches or "headers" in table.attrs):
        table = table.drop(columns=["technical", "aesthetic"])
    rows = []
    for row in table.to_dict("records"):
        own = {name: _known(row.get(name, nan)) for name in ("technical", "aesthetic")}
        cut_from = _known(row.get("cut_from", nan))
        group, ladder, part = (
            str(row.get(name, "")).strip() for name in ("group", "ladder", "split")
        )
        rows.append(
            LabelledVideo(
                videos / row["file"],
                float(row["overall"]),
                **own,
                group=group or row["file"],
                ladder=ladder,
                cut_from=int(cut_from) if cut_from > 0 else 0,
                split=part or None,
                also={name: float(row[name]) for name in besides},
            )
        )
    return rows


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path).astype(object)
            table = table.where(table.notna(), "").astype(str)
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                first = next(csv.reader(file), [])
            headers = any(cell.strip().lower() in NAMES["file"] for cell in first)
            table = pd.read_csv(
                path,
                encoding="utf-8-sig",
                skipinitialspace=True,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                header=0 if headers else None,
                names=None if headers else ["file", "aesthetic", "technical", "overall"],
            )
            if not headers:
                return table
    except (OSError, UnicodeDecodeError, ValueError, ImportError, csv.Error) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot read labels from '{path}': {reason}.") from None
    table = table.rename(columns=lambda name: str(name).strip().lower())
    for wanted, names in NAMES.items():
        found = [name for name in names if name in table.columns]
        if found:
            table = table.rename(columns={found[0]: wanted})
    table.attrs["headers"] = True
    return table


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    for name in ("file", "overall"):
        if name not in table.columns:
            raise SettingsError(
                f"'{path}' has no column '{name}' (or {', '.join(NAMES[name][1:])}); it has "
                f"{', '.join(table.columns)}."
            )
    twice = sorted(set(table.columns[table.columns.duplicated()]) & NAMES.keys())
    if twice:
        raise SettingsError(f"'{path}' has two columns '{twice[0]}'. Leave one.")
    if table.empty:
        raise SettingsError(f"'{path}' holds no labels.")


def _columns(table: pd.DataFrame, names: str, path: Path) -> list[str]:
    """Columns of these names and patterns."""
    found: dict[str, None] = {}
    for name in filter(None, (name.strip().lower() for name in names.split(","))):
        fitting = fnmatch.filter(table.columns, name)
        if not fitting:
            raise SettingsError(
                f"'{path}' has no column '{name}'; it has {', '.join(map(str, table.columns))}."
            )
        found |= dict.fromkeys(fitting)
    return list(found)


def _check(table: pd.DataFrame, path: Path, also: Sequence[str] = ()) -> None:
    for name in dict.fromkeys(("overall", "technical", "aesthetic", "cut_from", *also)):
        if name in table.columns:
            values = table[name].str.strip()
            table[name] = pd.to_numeric(values, errors="coerce")
            bad = table["file"][table[name].isna() & (values != "")].tolist()
            if bad:
                raise SettingsError(
                    f"'{path}' gives {len(bad)} videos something in the column '{name}' that is no "
                    f"number, as {some(bad)}."
                )
    for name in also:
        if table[name].isna().all():
            raise SettingsError(f"'{path}' has no number in the column '{name}'.")
    unknown = ~np.isfinite(table["overall"])
    if "headers" not in table.attrs:
        unknown |= table["overall"] == UNKNOWN
    bad = table["file"][unknown].tolist()
    if bad:
        raise SettingsError(
            f"'{path}' gives {len(bad)} videos no overall opinion, as {some(bad)}. Take their "
            "rows out."
        )
    twice = table["file"][table["file"].map(os.path.normpath).duplicated()].tolist()
    if twice:
        raise SettingsError(
            f"'{path}' labels {len(twice)} videos more than once, as {some(twice)}. Keep one row "
            "of each."
        )
    if table["overall"].nunique() == 1:
        raise SettingsError(
            f"'{path}' gives every video the opinion {table['overall'].iloc[0]:g}: nothing can be "
            "learnt from it or compared with it."
        )
    if "split" in table.columns:
        wrong = sorted(set(table["split"].str.strip()) - {*SPLITS, ""})
        if wrong:
            raise SettingsError(f"'{path}' has the split {wrong[0]!r}. Use {', '.join(SPLITS)}.")


def _known(value: float) -> float:
    return float(value) if isfinite(value) and value != UNKNOWN else nan
