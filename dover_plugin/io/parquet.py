"""pyarrow, which Parquet files need and which is not always installed."""

from typing import Any

from dover_plugin.errors import SettingsError


def load_pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SettingsError(
            "Parquet files need pyarrow. Install it with \"pip install 'dover-plugin[parquet]'\", "
            "or use .csv or .jsonl."
        ) from None
    return pyarrow, pyarrow.parquet
