"""From a folder to a tagged FiftyOne dataset: ``python examples/fiftyone_quickstart.py [FOLDER]``.

Without a folder the script encodes a clip at four qualities. Further options are those of
score_videos: ``--model dover --weights FILE``. Open the dataset with ``fiftyone app launch``.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("FIFTYONE_PLUGINS_DIR", str(Path(__file__).parents[1]))

import fiftyone as fo
import fiftyone.operators as foo
from clips import write_clip

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", nargs="?", help="folder of videos")
parser.add_argument("--name", default="dover-quickstart", help="name of the dataset")
parser.add_argument("--model", default="dover-open", help="model that scores")
parser.add_argument("--weights", help="weights file to use in place of the published weights")
arguments = parser.parse_args()

folder = Path(arguments.folder or tempfile.mkdtemp())
if arguments.folder is None:
    for crf in (18, 28, 38, 48):
        write_clip(folder / f"bunny_crf{crf}.mp4", 60, (360, 640), crf)

dataset = fo.Dataset.from_dir(
    str(folder), dataset_type=fo.types.VideoDirectory, name=arguments.name, overwrite=True
)
dataset.persistent = True

score = foo.get_operator("@dover/quality/score_videos")
summary = score(dataset, model=arguments.model, weights=arguments.weights)
print(f"\n{summary.scored} scored, {summary.failed} failed")

tag = foo.get_operator("@dover/quality/tag_low_quality")
count = tag(dataset, rule="quantile", by="technical", share=0.25)
print(f"{count} videos, the lowest quarter by technical quality, are tagged 'low_quality'\n")

for sample in dataset.sort_by("dover.overall", reverse=True):
    scores = sample.dover
    name = Path(sample.filepath).name
    if scores.error:
        print(f"{name:24} {scores.error}")
    else:
        tags = ", ".join(sample.tags)
        print(
            f"{name:24} {scores.technical:.3f} {scores.aesthetic:.3f} {scores.overall:.3f} {tags}"
        )
