"""A real mongod, real datasets of real clips; FiftyOne is told where to keep all of it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="fo-"))  # short, for the database's socket

# FiftyOne reads these when it is imported, so they are set before that, here.
os.environ.update(
    FIFTYONE_DO_NOT_TRACK="true",
    FIFTYONE_DATABASE_NAME="dover-tests",
    FIFTYONE_DATABASE_VALIDATION="false",
    FIFTYONE_PLUGINS_DIR=str(ROOT),
    FIFTYONE_CONFIG_PATH=str(HOME / "config.json"),
    FIFTYONE_APP_CONFIG_PATH=str(HOME / "app.json"),
    FIFTYONE_DEFAULT_DATASET_DIR=str(HOME / "datasets"),
    FIFTYONE_MODEL_ZOO_DIR=str(HOME / "zoo"),
    FIFTYONE_SHOW_PROGRESS_BARS="false",
    FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS="true",
)
if "FIFTYONE_DATABASE_URI" not in os.environ:
    os.environ["FIFTYONE_DATABASE_DIR"] = str(HOME / "db")

CRFS = (18, 33, 48)
SIZES = ((240, 320), (270, 480))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Tell what the App showed when a test of it failed, and keep a picture."""
    report = yield
    app = getattr(item, "funcargs", {}).get("app")
    if report.when == "call" and report.failed and app is not None:
        from playwright.sync_api import Error

        try:
            shown = app.shown(f"failed-{item.name}")
        except Error as error:  # the page itself may be what failed
            shown = f"nothing: {error}"
        report.sections.append(("The App showed", shown))
    return report


@pytest.fixture(scope="session", autouse=True)
def fo() -> Any:
    """FiftyOne with its database; without one these tests fail in CI and skip elsewhere."""
    try:
        import fiftyone

        fiftyone.list_datasets()
    except (ImportError, RuntimeError, OSError, ValueError) as error:
        reason = f"FiftyOne has no database here ({error}); set FIFTYONE_DATABASE_URI to one"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, which CI must have", pytrace=False)
        pytest.skip(reason)
    return fiftyone


@pytest.fixture(scope="session")
def weights(seeded: dict[str, Path]) -> str:
    """The weights in the package."""
    return str(seeded["dover-open"])


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two sizes and three qualities, and one file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for height, width in SIZES:
        for crf in CRFS:
            name = folder / f"{width}x{height}_crf{crf}.mp4"
            write_clip(name, 50, (height, width), options={"crf": str(crf)})
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture(scope="session")
def calibration(folder: Path, weights: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fusion that spreads the model's scores over [0, 1]."""
    from dover_plugin import Calibration, Scorer, Scores

    scorer = Scorer("dover-open", "cpu", weights=weights)
    done = [r for r in scorer.score_many(sorted(folder.glob("*.mp4"))) if isinstance(r, Scores)]
    raws = [r.raw for r in done] * 2
    file = tmp_path_factory.mktemp("fusion") / "spread.json"
    fusion = Calibration.fit("spread", [r.technical for r in raws], [r.aesthetic for r in raws])
    fusion.save(file)
    return str(file)


@pytest.fixture
def make_dataset(fo: Any) -> Iterator[Callable[..., Any]]:
    """Makes datasets of files, and deletes them in the end."""
    made: list[Any] = []

    def make(paths: list[Path] | list[str], name: str | None = None) -> Any:
        dataset = fo.Dataset(name, persistent=True)
        made.append(dataset)
        dataset.add_samples([fo.Sample(str(path)) for path in paths], progress=False)
        return dataset

    yield make
    for dataset in made:
        if not dataset.deleted:
            dataset.delete()


@pytest.fixture
def dataset(make_dataset: Callable[..., Any], folder: Path) -> Any:
    """The clips and the broken file, not scored."""
    return make_dataset(sorted(folder.glob("*.mp4")))


@pytest.fixture(scope="session")
def scored_once(fo: Any, folder: Path, weights: str, calibration: str) -> Iterator[Any]:
    """The clips and the broken file, scored with segments of a second; read only."""
    import fiftyone.operators as foo

    dataset = fo.Dataset(persistent=True)
    dataset.add_samples([fo.Sample(str(p)) for p in sorted(folder.glob("*.mp4"))], progress=False)
    score = foo.get_operator("@dover/quality/score_videos")
    score(dataset, weights=weights, fusion=calibration, segment_seconds=1)
    yield dataset
    dataset.delete()


@pytest.fixture
def scored(scored_once: Any) -> Iterator[Any]:
    """A copy of ``scored_once`` to change."""
    copy = scored_once.clone(persistent=True)
    yield copy
    copy.delete()
