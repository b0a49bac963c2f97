"""Examples that ``--help`` of each command shows."""

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
        "dover timeline film.mkv --segments 5s --plot film.png",
        "dover timeline film.mkv --segments scenes -f csv -o film.csv",
    ),
    "compare": (
        "dover compare source.mkv crf23.mp4 crf28.mp4 --html ladder.html",
        "dover compare sources/ encodes/ -f csv -o differences.csv",
        "dover compare source.mkv encode.mp4 --fail-below -0.05",
    ),
    "diagnose": (
        "dover diagnose clip.mp4",
        "dover diagnose videos/ -f csv -o faults.csv",
        "dover diagnose upload.mp4 --fail-on frozen --fail-on black",
    ),
    "map": ("dover map clip.mp4 -o map.png", "dover map clip.mp4 -o map.mp4"),
    "rank": (
        "dover rank scores.csv -o ranked.csv",
        "dover rank scores.csv --against live-vqc",
    ),
    "calibrate": ("dover calibrate scores.csv -o mine.json",),
    "divergence": ("dover divergence scores.csv -o divergence.png --pairs pairs.csv",),
    "evaluate": (
        "dover evaluate labels.csv --videos videos/",
        "dover evaluate LSVQ/labels_test.txt --videos LSVQ/ --set lsvq-test --model dover",
    ),
    "train": (
        "dover train --labels labels.csv --videos videos/ -o run",
        "dover train --labels labels.csv --videos videos/ -o run --end-to-end --config train.toml",
    ),
    "doctor": ("dover doctor",),
}


def epilog(command: str) -> str:
    """The examples of a command, one paragraph each."""
    return "\n\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES[command])])
