"""Examples that ``--help`` of each command shows."""

import inspect

import typer

EXAMPLES = {
    "score": (
        "dover score clip.mp4",
        "dover score videos/ -o scores.csv",
        "dover score clip.mp4 --start 10s --end 20s",
        "dover score frames/ --as-sequence --fps 24",
        "dover score 'clips/**/*.mp4' --model dover --device cuda -o scores.parquet",
    ),
    "cluster": ("dover cluster s3://bucket/clips/ -o s3://bucket/scores --scorers 4 --gpus 1",),
    "timeline": (
        "dover timeline clip.mkv --segments 5s --plot scores.png",
        "dover timeline clip.mkv --segments scenes -f csv -o scores.csv",
    ),
    "compare": (
        "dover compare source.mkv crf23.mp4 crf28.mp4 --html ladder.html",
        "dover compare sources/ encodes/ -f csv -o differences.csv",
        "dover compare source.mkv encode.mp4 --fail-below -0.05",
    ),
    "diagnose": (
        "dover diagnose clip.mp4",
        "dover diagnose videos/ -f csv -o distortions.csv",
        "dover diagnose upload.mp4 --fail-on frozen --fail-on black",
    ),
    "map": ("dover map clip.mp4 -o map.png", "dover map clip.mp4 -o map.mp4"),
    "rank": (
        "dover rank scores.csv -o ranked.csv",
        "dover rank scores.csv --against live-vqc",
    ),
    "calibrate": (
        "dover calibrate scores.csv -o mine.json",
        "dover score videos/ --fusion mine.json -o calibrated.csv",
    ),
    "divergence": ("dover divergence scores.csv -o divergence.png --pairs pairs.csv",),
    "evaluate": (
        "dover evaluate labels.csv --videos videos/",
        "dover evaluate labels.csv --videos videos/ --model dover",
    ),
    "train": (
        "dover train --labels labels.csv --videos videos/ -o run",
        "dover train --labels labels.csv --videos videos/ -o run --end-to-end",
    ),
    "doctor": ("dover doctor",),
    "weights list": ("dover weights list",),
    "weights download": (
        "dover weights download fast-vqa",
        "dover weights download dover --accept-license",
    ),
    "weights verify": ("dover weights verify", "dover weights verify dover"),
    "weights convert": ("dover weights convert DOVER.pth dover.safetensors",),
    "export onnx": ("dover export onnx --model dover -o dover.onnx",),
    "fiftyone install": ("dover fiftyone install",),
}


def add_examples(app: typer.Typer, group: str = "") -> None:
    """Add the examples to each command, and its full description to the list of commands.

    Args:
        app: commands and groups of commands.
        group: beginning of the names of its commands.
    """
    for command in app.registered_commands:
        lines = EXAMPLES[f"{group}{command.name}"]
        command.epilog = "\n\n".join(["Examples:", *(f"  {line}" for line in lines)])
        command.short_help = inspect.getdoc(command.callback)
    for each in app.registered_groups:
        if each.typer_instance is not None:
            add_examples(each.typer_instance, f"{each.name} ")
