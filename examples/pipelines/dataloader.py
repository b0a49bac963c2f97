"""Decode in the workers of a DataLoader, and score in the main process.

    python examples/pipelines/dataloader.py [--start-method fork|spawn|forkserver] VIDEO...

Workers call dover_plugin.read, which uses no network, so that both start methods work.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset

from dover_plugin import ReadOptions, Scorer, VideoError, VideoViews, read


class Videos(Dataset[tuple[str, VideoViews | str]]):
    """Views of videos, or why a video has none."""

    def __init__(self, paths: Sequence[str], options: ReadOptions) -> None:
        self.paths = paths
        self.options = options

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[str, VideoViews | str]:
        path = self.paths[index]
        try:
            return path, read(path, self.options)
        except VideoError as error:
            return path, str(error)


def as_it_is(item: Any) -> Any:
    return item


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--start-method", default="spawn")
    parser.add_argument("videos", nargs="+")
    arguments = parser.parse_args()
    scorer = Scorer()
    loader = DataLoader(
        Videos(arguments.videos, scorer.read_options),
        batch_size=None,  # one video at a time
        collate_fn=as_it_is,
        num_workers=2,
        prefetch_factor=1,  # views of a video take 19 MB
        multiprocessing_context=arguments.start_method,
    )
    for path, views in loader:
        if isinstance(views, str):
            print(path, "failed:", views)
        else:
            print(path, f"{scorer.score_views(*views).overall:.4f}")


if __name__ == "__main__":
    main()
