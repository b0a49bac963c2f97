"""Tables of labels: CSV, Parquet, and the label files of the reference."""

import csv
import os
from math import isfinite, nan
from pathlib import Path

import numpy as np
import pandas as pd

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.labels import SPLITS, LabelledVideo, some
from dover_plugin.io.parquet import load_pyarrow

UNKNOWN = -1  # an unknown label in the reference's files
# Column -> accepted headers.
NAMES = {
    "file": ("file", "path", "video", "filename", "name", "flickr_id"),
    "overall": ("overall", "mos", "label", "score"),
    "technical": ("technical", "technical_mos"),
    "aesthetic": ("aesthetic", "aesthetic_mos"),
    "group": ("group", "content", "scene"),
    "split": ("split", "subset"),
}
NUMBERS = ("overall", "technical", "aesthetic")


def read_labels(
    path: Path, videos: Path, *, branches: bool = True, pattern: str = "{name}"
) -> list[LabelledVideo]:
    """Read a table of labels.

    A table with headers has the columns ``file`` and ``overall``, and optionally ``technical``,
    ``aesthetic``, ``group`` and ``split``; NAMES lists other accepted headers. A file of the
    reference has no headers: ``file, aesthetic, technical, overall``, -1 where unknown.

    Args:
        path: the table.
        videos: folder that the file names are relative to.
        branches: whether a file without headers holds aesthetic and technical MOS. Most of the
            reference's files hold length and frame rate in these columns.
        pattern: converts a name without a suffix to a file name, for example "{name}.mp4".

    Raises:
        SettingsError: the table is invalid; the message names the column or the rows.
    """
    table = _read(path)
    _check_columns(table, path)
    names = [str(name).strip() for name in table["file"]]
    table["file"] = [n if Path(n).suffix else pattern.format(name=n) for n in names]
    _convert_numbers(table, path)
    _check_values(table, path)
    if not (branches or "headers" in table.attrs):
        table = table.drop(columns=["technical", "aesthetic"])
    rows = []
    for row in table.to_dict("records"):
        group, split = (str(row.get(name, "")).strip() for name in ("group", "split"))
        rows.append(
            LabelledVideo(
                videos / row["file"],
                float(row["overall"]),
                technical=_known(row.get("technical", nan)),
                aesthetic=_known(row.get("aesthetic", nan)),
                group=group or row["file"],
                split=split or None,
            )
        )
    return rows


def _read(path: Path) -> pd.DataFrame:
    """The table as strings, with the column names of NAMES."""
    try:
        if path.suffix == ".parquet":
            load_pyarrow()
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
    for column, names in NAMES.items():
        found = [name for name in names if name in table.columns]
        if found:
            table = table.rename(columns={found[0]: column})
    table.attrs["headers"] = True
    return table


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    for name in ("file", "overall"):
        if name not in table.columns:
            raise SettingsError(
                f"'{path}' has no column '{name}' (or {', '.join(NAMES[name][1:])}); its columns "
                f"are {', '.join(table.columns)}."
            )
    duplicates = sorted(set(table.columns[table.columns.duplicated()]) & NAMES.keys())
    if duplicates:
        raise SettingsError(f"'{path}' has two columns '{duplicates[0]}'. Remove one of them.")
    if table.empty:
        raise SettingsError(f"'{path}' holds no labels.")


def _convert_numbers(table: pd.DataFrame, path: Path) -> None:
    """Convert the columns of labels to numbers in place; empty cells become NaN."""
    for name in NUMBERS:
        if name in table.columns:
            values = table[name].str.strip()
            table[name] = pd.to_numeric(values, errors="coerce")
            bad = table["file"][table[name].isna() & (values != "")].tolist()
            if bad:
                raise SettingsError(
                    f"'{path}' has {len(bad)} values in the column '{name}' that are not numbers, "
                    f"for example of {some(bad)}. Correct them or leave the cells empty."
                )


def _check_values(table: pd.DataFrame, path: Path) -> None:
    unknown = ~np.isfinite(table["overall"])
    if "headers" not in table.attrs:
        unknown |= table["overall"] == UNKNOWN
    bad = table["file"][unknown].tolist()
    if bad:
        raise SettingsError(
            f"'{path}' has no overall MOS for {len(bad)} videos, for example {some(bad)}. Remove "
            "their rows."
        )
    twice = table["file"][table["file"].map(os.path.normpath).duplicated()].tolist()
    if twice:
        raise SettingsError(
            f"'{path}' labels {len(twice)} videos more than once, for example {some(twice)}. Keep "
            "one row for each."
        )
    if table["overall"].nunique() == 1:
        raise SettingsError(
            f"'{path}' gives every video the MOS {table['overall'].iloc[0]:g}. Training and "
            "correlations need videos whose MOS differ."
        )
    if "split" in table.columns:
        wrong = sorted(set(table["split"].str.strip()) - {*SPLITS, ""})
        if wrong:
            raise SettingsError(
                f"'{path}' has the invalid split {wrong[0]!r}; use {', '.join(SPLITS)}."
            )


def _known(value: float) -> float:
    return float(value) if isfinite(value) and value != UNKNOWN else nan
