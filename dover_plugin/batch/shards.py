"""Read the Parquet shards of a cluster job."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from dover_plugin.batch.locations import filesystem_of
from dover_plugin.batch.tables import ALL_COLUMNS
from dover_plugin.errors import SettingsError


def read_shards(output: str) -> Iterator[dict[str, Any]]:
    """Rows of all shards, the oldest shard first; a video that was scored twice has two rows."""
    for rows in shards(output, rename_torn=False):
        yield from rows


def shards(output: str, *, rename_torn: bool) -> Iterator[list[dict[str, Any]]]:
    """Rows of each shard, the oldest first; truncated shards are skipped.

    Args:
        output: folder or URI of the shards.
        rename_torn: rename truncated shards, so that their videos are scored again.

    Raises:
        SettingsError: the folder cannot be read, or holds another Parquet table.
    """
    try:
        filesystem, root = filesystem_of(output)
        files = filesystem.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"Cannot keep shards in '{output}' ({error}). Use another folder."
        ) from None
    for file in sorted(files, key=lambda each: each.mtime_ns or 0):
        if file.extension != "parquet":
            continue
        try:
            shard = pq.ParquetFile(file.path, filesystem=filesystem)
        except pa.ArrowInvalid:  # a killed job truncated it
            if rename_torn:
                filesystem.move(file.path, f"{file.path}.torn")
            continue
        with shard:
            missing = [name for name in ALL_COLUMNS if name not in shard.schema_arrow.names]
            if missing:
                raise SettingsError(
                    f"'{output}' holds a table without scores: '{file.base_name}' has no column "
                    f"'{missing[0]}'. Use another folder."
                )
            yield shard.read().to_pylist()
