"""Tables of scores: output files of a batch, and reading them back."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dover_plugin.batch.journal import Journal, lock
from dover_plugin.batch.minimums import COLUMNS as KEEP_COLUMNS
from dover_plugin.batch.minimums import NO_MINIMUMS, Minimums
from dover_plugin.errors import SettingsError
from dover_plugin.io.csv_cells import map_text, restore_cell, safe_frame, safe_row
from dover_plugin.io.parquet import load_pyarrow
from dover_plugin.io.write import check_regular, check_suffix, replacing
from dover_plugin.preprocessing.sampling_rule import BRANCHES, Branch
from dover_plugin.scores import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".jsonl", ".csv", ".parquet")
REQUIRED_NUMBERS = ("technical_raw", "aesthetic_raw", "overall")
ROWS_IN_MEMORY = 10_000  # written to Parquet at once
ALL_COLUMNS = (*COLUMNS, "size", "modified")
INTEGERS = ("repeats", "seed", "num_frames", "width", "height", "size", "modified")
NUMBERS = (
    "technical", "aesthetic", "overall", "technical_raw", "aesthetic_raw", "technical_std",
    "aesthetic_std", "fps",
)  # fmt: skip


def journal_of(output: Path) -> Path:
    """The journal of an output: a .jsonl file itself, or a .jsonl beside a .csv or .parquet.

    Raises:
        SettingsError: another type of file.
    """
    check_suffix(output, SUFFIXES)
    return output if _suffix(output) == ".jsonl" else output.with_name(output.name + ".jsonl")


def check_output(output: Path, *, restart: bool) -> None:
    """Raise SettingsError unless scores can be written to this output.

    The command calls it before hours of work are spent.
    """
    journal = journal_of(output)
    if not output.absolute().parent.is_dir():
        raise SettingsError(f"Directory '{output.parent}' does not exist. Create it first.")
    check_regular(output)
    check_regular(journal)
    if _suffix(output) == ".parquet":
        load_pyarrow()
    if output != journal and output.exists() and not journal.exists() and not restart:
        raise SettingsError(
            f"'{output}' exists, but its journal '{journal}' does not. Choose another file name, "
            "or rename the existing file with --restart."
        )


def back_up(output: Path) -> None:
    """Rename an output and its journal to a free name such as ``scores.csv.old1``.

    Raises:
        SettingsError: a file cannot be renamed, or another process writes to it.
    """
    for file in {output, journal_of(output)}:
        if not file.exists():
            continue
        number = 1
        while (old := file.with_name(f"{file.name}.old{number}")).exists():
            number += 1
        try:
            with file.open("ab") as stream:
                lock(stream, file)
            file.rename(old)
        except OSError as error:
            raise SettingsError(f"Cannot rename '{file}': {error.strerror}.") from None


def write_output(
    journal: Journal, output: Path, videos: Sequence[str], minimums: Minimums = NO_MINIMUMS
) -> None:
    """Write the table, all of it or nothing; a .jsonl is the journal itself.

    Args:
        journal: rows of the table.
        output: file to write.
        videos: paths of the videos whose rows come first, in this order. Rows of other videos in
            the journal follow.
        minimums: they add the columns "keep" and "reason".

    Raises:
        SettingsError: the file cannot be written, or pyarrow is not installed.
    """
    if _suffix(output) == ".jsonl":
        return
    write = _write_csv if _suffix(output) == ".csv" else _write_parquet
    with replacing(output) as part:
        write(_filtered(journal.rows(videos), minimums), part, minimums)


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _write_csv(rows: Iterator[dict[str, Any]], path: Path, minimums: Minimums) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, (*ALL_COLUMNS, *(KEEP_COLUMNS if minimums else ())))
        writer.writeheader()
        for row in rows:
            writer.writerow(safe_row({**row, "warnings": "; ".join(row["warnings"])}))


def _filtered(rows: Iterator[dict[str, Any]], minimums: Minimums) -> Iterator[dict[str, Any]]:
    """Rows, with the columns of the minimums if there are any."""
    return (row | minimums.columns(row) for row in rows) if minimums else rows


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path, minimums: Minimums) -> None:
    pa, pq = load_pyarrow()
    schema = _schema()
    if minimums:
        schema = schema.append(pa.field("keep", pa.bool_())).append(pa.field("reason", pa.string()))
    with pq.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(rows):
            writer.write_table(_to_arrow(chunk, schema))


def rows_to_arrow(rows: list[dict[str, Any]]) -> Any:
    """A pyarrow.Table with ALL_COLUMNS, from rows of a journal."""
    return _to_arrow(rows, _schema())


def _to_arrow(rows: list[dict[str, Any]], schema: Any) -> Any:
    pa, _ = load_pyarrow()
    return pa.Table.from_pylist([_storable_row(row) for row in rows], schema)


def _schema() -> Any:
    pa, _ = load_pyarrow()
    types = {
        **dict.fromkeys(ALL_COLUMNS, pa.string()),
        **dict.fromkeys(INTEGERS, pa.int64()),
        **dict.fromkeys(NUMBERS, pa.float64()),
        "warnings": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[name]) for name in ALL_COLUMNS])


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == ROWS_IN_MEMORY:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def storable(text: str) -> str:
    """Replace the bytes of a file name that are not UTF-8, which Parquet cannot hold."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _storable_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: storable(value) if isinstance(value, str) else value for name, value in row.items()
    }


def read_scores(path: Path) -> "pd.DataFrame":
    """Read the scored videos of a .jsonl, .csv or .parquet table, or of a folder of shards.

    Failed rows are left out. If a video has several rows, the last one counts.

    Raises:
        SettingsError: the table cannot be read, has another type, or holds scores of several
            models.
    """
    import pandas as pd

    try:
        table = _read_any(path)
    except (OSError, ValueError, RecursionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot read '{path}': {reason}.") from None
    missing = {"path", "model", *REQUIRED_NUMBERS, "error"} - {*table.columns}
    if missing:
        raise SettingsError(
            f"'{path}' is not a table of scores: it has no column '{sorted(missing)[0]}'. Pass a "
            "table that 'dover score' wrote."
        )
    wrong = [name for name in REQUIRED_NUMBERS if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong and len(table):
        raise SettingsError(
            f"Column '{wrong[0]}' of '{path}' holds values that are not numbers. Correct the table."
        )
    table = table.drop_duplicates("path", keep="last")
    has_scores = table["technical_raw"].notna() | table["aesthetic_raw"].notna()
    good = table[table["error"].isna() & has_scores].reset_index(drop=True)
    models = good["model"].unique()
    if len(models) > 1:
        raise SettingsError(
            f"'{path}' holds scores of {' and '.join(map(str, models))}, which cannot be compared. "
            "Split the table by model."
        )
    return good


def branches_of(table: "pd.DataFrame", path: Path) -> list[Branch]:
    """Branches that all videos of a table of scores have; both if the table is empty.

    Args:
        table: result of read_scores.
        path: file of the table, for the message.

    Raises:
        SettingsError: some videos lack a branch that others have.
    """
    known = {branch: table[f"{branch}_raw"].notna() for branch in BRANCHES}
    mixed = [branch for branch, column in known.items() if column.any() and not column.all()]
    if mixed:
        raise SettingsError(
            f"Some videos in '{path}' have no {mixed[0]} score. Score all with the same --branch."
        )
    return [branch for branch, column in known.items() if column.all()]


def _read_any(path: Path) -> "pd.DataFrame":
    """Read a table by its suffix; a folder holds shards."""
    if path.is_dir():
        return _read_shards(path)
    check_suffix(path, SUFFIXES, "table")
    check_regular(path)
    readers = {".jsonl": _read_lines, ".csv": _read_csv, ".parquet": _read_parquet}
    return readers[_suffix(path)](path)


def _read_lines(path: Path) -> "pd.DataFrame":
    """Read JSON lines; pandas' own reader would turn ``modified`` into dates."""
    import pandas as pd

    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        table = pd.DataFrame([json.loads(line) for line in file if line.strip()])
    return table.astype({name: float for name in REQUIRED_NUMBERS if name in table.columns})


def _read_parquet(path: Path) -> "pd.DataFrame":
    load_pyarrow()
    import pandas as pd

    return pd.read_parquet(path)


def _read_shards(path: Path) -> "pd.DataFrame":
    """Read all shards, the oldest first; files with another suffix are ignored."""
    import pandas as pd

    files = [file for file in path.glob("*.parquet") if file.is_file()]
    if not files:
        raise ValueError("the folder holds no .parquet file")
    files.sort(key=lambda file: file.stat().st_mtime_ns)
    return pd.concat([_read_parquet(file) for file in files], ignore_index=True)


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    types: Any = {"path": str, "model": str, "error": str, "size": "Int64", "modified": "Int64"}
    table = pd.read_csv(
        path,
        dtype=types,
        keep_default_na=False,
        na_values=[""],
        encoding_errors="surrogateescape",
    )
    return map_text(table, restore_cell)


def write_frame(table: "pd.DataFrame", output: Path) -> None:
    """Write a .csv or .parquet table, all of it or nothing.

    Raises:
        SettingsError: another type of file, or it cannot be written.
    """
    check_suffix(output, (".csv", ".parquet"))
    is_csv = _suffix(output) == ".csv"
    if not is_csv:
        load_pyarrow()
    try:
        with replacing(output) as part:
            if is_csv:
                safe_frame(table).to_csv(part, index=False, errors="surrogateescape")
            else:
                table.to_parquet(part, index=False)
    except ValueError as error:
        raise SettingsError(f"Cannot write '{output}': {error}.") from None
