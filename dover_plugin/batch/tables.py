"""A journal of scores as the table that a user asked for, and what it sums up to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dover_plugin.batch.journal import Journal, lock
from dover_plugin.errors import SettingsError
from dover_plugin.scores import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

KINDS = (".jsonl", ".csv", ".parquet")
NEEDED = ("technical_raw", "aesthetic_raw", "overall")  # numbers of a table of scores
ROWS = 10_000  # that are held at once
ALL_COLUMNS = (*COLUMNS, "size", "modified")
WHOLE = ("repeats", "seed", "num_frames", "width", "height", "size", "modified")
NUMBERS = (
    "technical", "aesthetic", "overall", "technical_raw", "aesthetic_raw", "technical_std",
    "aesthetic_std", "fps",
)  # fmt: skip


def journal_of(output: Path) -> Path:
    """Where rows are kept for an output: it itself, or beside a .csv or .parquet.

    Raises:
        SettingsError: another kind of file.
    """
    if output.suffix not in KINDS:
        raise SettingsError(f"'{output}' is none of {', '.join(KINDS)}. Name such a file.")
    return output if output.suffix == ".jsonl" else output.with_name(output.name + ".jsonl")


def check_output(output: Path, *, restart: bool) -> None:
    """Raise SettingsError unless rows can be kept for this output, before hours are spent."""
    kept = journal_of(output)
    if not output.absolute().parent.is_dir():
        raise SettingsError(f"'{output}' lies in a folder that is not there. Make it first.")
    if output.suffix == ".parquet":
        _pyarrow()
    if output != kept and output.exists() and not kept.exists() and not restart:
        raise SettingsError(
            f"'{output}' exists, and '{kept}', which would hold its rows, does not. Name another "
            "file, or put it aside with --restart."
        )


def put_aside(output: Path) -> None:
    """Rename an output and its journal, so that all begins anew and nothing is lost.

    Raises:
        SettingsError: it cannot be renamed, or another process writes to it.
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
            raise SettingsError(f"Cannot put '{file}' aside: {error.strerror}.") from None


def write_output(journal: Journal, output: Path) -> None:
    """Write the table, all of it or nothing; a .jsonl is the journal itself.

    Raises:
        SettingsError: it cannot be written, or pyarrow is missing.
    """
    if output.suffix == ".jsonl":
        return
    part = output.with_name(output.name + ".part")
    try:
        if output.suffix == ".csv":
            _write_csv(journal, part)
        else:
            _write_parquet(journal, part)
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SettingsError(f"Cannot write '{output}': {error.strerror or error}.") from None


def _write_csv(journal: Journal, path: Path) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, ALL_COLUMNS)
        writer.writeheader()
        for row in journal.rows():
            writer.writerow({**row, "warnings": "; ".join(row["warnings"])})


def _write_parquet(journal: Journal, path: Path) -> None:
    _, pq = _pyarrow()
    with pq.ParquetWriter(path, _schema()) as writer:
        for rows in _chunks(journal.rows()):
            writer.write_table(rows_to_arrow(rows))


def rows_to_arrow(rows: list[dict[str, Any]]) -> Any:
    """A pyarrow.Table of ALL_COLUMNS, of rows as a journal holds them."""
    pa, _ = _pyarrow()
    return pa.Table.from_pylist([_storable_row(row) for row in rows], _schema())


def _schema() -> Any:
    pa, _ = _pyarrow()
    kinds = {
        **dict.fromkeys(ALL_COLUMNS, pa.string()),
        **dict.fromkeys(WHOLE, pa.int64()),
        **dict.fromkeys(NUMBERS, pa.float64()),
        "warnings": pa.list_(pa.string()),
    }
    return pa.schema([(name, kinds[name]) for name in ALL_COLUMNS])


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SettingsError(
            "Parquet needs pyarrow. Run: pip install 'dover-plugin[parquet]', or name a .csv or "
            ".jsonl."
        ) from None
    return pyarrow, pyarrow.parquet


def storable(text: str) -> str:
    """Replace bytes of a file name that are not text, which Parquet cannot hold."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _storable_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: storable(value) if isinstance(value, str) else value for name, value in row.items()
    }


def read_scores(path: Path) -> "pd.DataFrame":
    """Scored videos of a .jsonl, .csv or .parquet table, or of a folder of shards.

    Failed rows are left out; of a video that was done again, the last row counts.

    Raises:
        SettingsError: it cannot be read, is of another kind, or holds scores of several models.
    """
    import pandas as pd

    readers = {
        ".jsonl": lambda: _read_lines(path),
        ".csv": lambda: _read_csv(path),
        ".parquet": lambda: pd.read_parquet(path),
        "/": lambda: _read_shards(path),
    }
    kind = "/" if path.is_dir() else path.suffix
    if kind not in readers:
        raise SettingsError(f"'{path}' is none of {', '.join(KINDS)}. Name such a table.")
    try:
        table = readers[kind]()
    except (OSError, ValueError, ImportError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot read '{path}': {reason}.") from None
    missing = {"path", "model", *NEEDED, "error"} - {*table.columns}
    if missing:
        raise SettingsError(f"'{path}' holds no scores: it has no column '{sorted(missing)[0]}'.")
    wrong = [name for name in NEEDED if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong and len(table):
        raise SettingsError(f"Column '{wrong[0]}' of '{path}' holds more than numbers.")
    table = table.drop_duplicates("path", keep="last")
    good = table[table["error"].isna() & table["technical_raw"].notna()].reset_index(drop=True)
    models = good["model"].unique()
    if len(models) > 1:
        raise SettingsError(
            f"'{path}' holds scores of {' and '.join(map(str, models))}, which are not to be "
            "compared. Split it."
        )
    return good


def _read_lines(path: Path) -> "pd.DataFrame":
    """As they are: pandas would take ``modified`` for a date, and a name of digits for a number."""
    import pandas as pd

    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        table = pd.DataFrame([json.loads(line) for line in file if line.strip()])
    return table.astype({name: float for name in NEEDED if name in table.columns})


def _read_shards(path: Path) -> "pd.DataFrame":
    """The oldest first; other files, as one that a kill cut off, are passed over."""
    import pandas as pd

    shards = sorted(path.glob("*.parquet"), key=lambda shard: shard.stat().st_mtime_ns)
    if not shards:
        raise ValueError("the folder holds no .parquet")
    return pd.concat([pd.read_parquet(shard) for shard in shards], ignore_index=True)


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    kinds: Any = {"path": str, "model": str, "error": str, "size": "Int64", "modified": "Int64"}
    return pd.read_csv(
        path,
        dtype=kinds,
        keep_default_na=False,
        na_values=[""],
        encoding_errors="surrogateescape",
    )


def write_frame(table: "pd.DataFrame", output: Path) -> None:
    """Write a .csv or .parquet, all of it or nothing.

    Raises:
        SettingsError: another kind of file, or it cannot be written.
    """
    writers = {
        ".csv": lambda path: table.to_csv(path, index=False, errors="surrogateescape"),
        ".parquet": lambda path: table.to_parquet(path, index=False),
    }
    if output.suffix not in writers:
        raise SettingsError(f"'{output}' is none of {', '.join(writers)}. Name such a file.")
    part = output.with_name(output.name + ".part")
    try:
        writers[output.suffix](part)
        part.replace(output)
    except (OSError, ValueError, ImportError) as error:
        part.unlink(missing_ok=True)
        raise SettingsError(f"Cannot write '{output}': {error}.") from None
