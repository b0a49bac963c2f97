"""Check built distributions: ``python tools/check_wheel.py dist [--tag v0.2.0]``.

The wheel must contain the packages and their data, and nothing of recipes, tests or examples.
"""

import argparse
import sys
import zipfile
from pathlib import Path

REQUIRED = (
    "dover_plugin/py.typed",
    "dover_plugin/data/dover-open.safetensors",
    "dover_plugin/data/dover-open.json",
    "dover_plugin/data/reference_scores.json",
    "dover_plugin/reporting/html/templates/report.html",
    "fiftyone_plugin/py.typed",
    "fiftyone_plugin/plugin.yml",
    "vs_filter/py.typed",
)
PACKAGES = ("dover_plugin/", "fiftyone_plugin/", "vs_filter/", "vsdover/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with one wheel and one sdist")
    parser.add_argument("--tag", help="release tag that the version must match")
    arguments = parser.parse_args()
    (wheel,) = arguments.folder.glob("*.whl")
    (sdist,) = arguments.folder.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    problems = [f"missing: {name}" for name in REQUIRED if name not in names]
    problems += [
        f"unexpected: {name}"
        for name in names
        if not name.startswith(PACKAGES) and ".dist-info/" not in name
    ]
    problems += [f"unexpected table: {name}" for name in names if name.endswith(".csv")]
    version = wheel.name.split("-")[1]
    if arguments.tag and arguments.tag != f"v{version}":
        problems.append(f"tag {arguments.tag} does not match version {version}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB; {sdist.name}")


if __name__ == "__main__":
    main()
