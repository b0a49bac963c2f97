"""Score a column of paths of a pandas or Polars table.

python examples/pipelines/dataframe.py VIDEO...
"""

import sys

import pandas as pd
import polars as pl

from dover_plugin import Scorer, to_frame


def add_scores(table: pd.DataFrame, scorer: Scorer, column: str = "path") -> pd.DataFrame:
    """The table with the columns overall, technical, aesthetic and error."""
    scores = to_frame(scorer.score_many(table[column]))
    added = scores[["overall", "technical", "aesthetic", "error"]]
    return table.join(added.set_index(table.index))


def overall(paths: pl.Series, scorer: Scorer) -> pl.Series:
    """A function for Polars' map_batches: overall scores, null for a video that has none."""
    rows = [result.to_dict() for result in scorer.score_many(paths)]
    return pl.Series([row["overall"] for row in rows], dtype=pl.Float64)


def main() -> None:
    scorer, paths = Scorer(), sys.argv[1:]
    for _, row in add_scores(pd.DataFrame({"path": paths}), scorer).iterrows():
        error = row["error"]
        print(row["path"], f"{row['overall']:.4f}" if pd.isna(error) else f"failed: {error}")
    lazy = pl.LazyFrame({"path": paths}).with_columns(
        pl.col("path")
        .map_batches(lambda series: overall(series, scorer), return_dtype=pl.Float64)
        .alias("overall")
    )
    kept = lazy.filter(pl.col("overall") > 0).collect()
    print("kept by Polars:", *kept["path"])


if __name__ == "__main__":
    main()
