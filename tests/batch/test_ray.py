"""A real Ray cluster of several workers on this machine."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin import Scorer
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch
from dover_plugin.batch.tables import read_scores, storable
from dover_plugin.cli import app
from dover_plugin.errors import EngineError, SettingsError

ray = pytest.importorskip("ray")
from dover_plugin.batch import locations  # noqa: E402
from dover_plugin.batch import ray as ray_batch  # noqa: E402
from dover_plugin.batch.locations import find_on, stamp_on  # noqa: E402
from dover_plugin.batch.ray import Cluster, score_on_ray  # noqa: E402
from dover_plugin.batch.shards import read_shards  # noqa: E402

SETTINGS = {"model": "dover-open", "device": "cpu"}
CLUSTER = Cluster(readers=2, scorers=1, shard=4)
VIDEOS = 20
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clustered")
    for i in range(VIDEOS):
        write_clip(folder / f"{i:02}.mp4", 6, (64, 64 + 16 * (i % 5)))
    (folder / "broken.mp4").write_bytes(b"no video")
    Path(os.fsdecode(bytes(folder / "no text ") + b"\xff.mp4")).write_bytes(b"no video either")
    return folder


def videos(folder: Path) -> list[str]:
    return sorted(str(file) for file in folder.iterdir())


def by_path(rows: Iterator[dict[str, object]]) -> dict[str, dict[str, object]]:
    found = list(rows)
    assert len({row["path"] for row in found}) == len(found), "nothing twice"
    return {str(row["path"]): row for row in found}


@pytest.fixture(scope="module")
def scored(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of all of them."""
    out = tmp_path_factory.mktemp("shards") / "out"
    assert score_on_ray(videos(folder), str(out), SETTINGS, cluster=CLUSTER) == VIDEOS + 2
    return out


def test_the_same_rows_as_on_one_machine(folder: Path, scored: Path, tmp_path: Path) -> None:
    found = by_path(read_shards(str(scored)))
    assert len(list(scored.glob("*.parquet"))) > 1
    with Journal(tmp_path / "scores.jsonl", Scorer("dover-open", "cpu")) as journal:
        score_batch(Scorer("dover-open", "cpu"), videos(folder), journal)
        alone = {storable(path): row for path, row in by_path(journal.rows()).items()}
    assert found.keys() == alone.keys()
    for path, row in found.items():
        numbers = {name for name, value in row.items() if isinstance(value, float)}
        for name in row:  # an actor has one thread, and sums in another order
            if name in ("path", "error") and "\ufffd" in str(row["path"]):
                continue
            exact = name not in numbers
            assert row[name] == (
                alone[path][name] if exact else pytest.approx(alone[path][name], abs=1e-5)
            ), (path, name)
    assert "cannot be read" in str(found[str(folder / "broken.mp4")]["error"])
    assert score_on_ray(videos(folder), str(scored), SETTINGS, cluster=CLUSTER) == 0
    with pytest.raises(SettingsError, match="seed None, not 3"):
        score_on_ray(videos(folder), str(scored), {**SETTINGS, "seed": 3})
    assert len(read_scores(scored)) == VIDEOS


def test_what_is_missing_is_done_though_a_worker_is_killed(
    folder: Path, scored: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(scored, out)
    truncated, gone, *_ = out.glob("*.parquet")
    rows = sum(pq.read_metadata(shard).num_rows for shard in (truncated, gone))
    truncated.write_bytes(truncated.read_bytes()[:-20])  # as a killed process leaves it
    gone.unlink()
    fixed = folder / "broken.mp4"
    fixed.write_bytes((folder / "00.mp4").read_bytes())  # its old row may stay beside the new one
    killed: list[int] = []

    def kill() -> None:
        for _ in range(600):
            actors = [
                p
                for p in psutil.process_iter(["cmdline"])
                if "ray::" in " ".join(p.info["cmdline"] or [])
                and ("_Read" in " ".join(p.info["cmdline"]))
            ]
            if actors:
                time.sleep(1.0)
                os.kill(actors[0].pid, signal.SIGKILL)
                killed.append(actors[0].pid)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    fresh = score_on_ray(videos(folder), str(out), SETTINGS, cluster=CLUSTER)
    thread.join()
    fixed.write_bytes(b"no video")
    assert killed
    found = list(read_shards(str(out)))
    assert fresh in (rows, rows + 1)  # its old row may have been in a shard that went
    assert len(found) == VIDEOS + 2 + fresh - rows
    assert {row["path"] for row in found} == set(map(storable, videos(folder)))
    assert len(list(out.glob("*.torn"))) == 1
    assert len(read_scores(out)) == VIDEOS + 1


def test_the_command_and_uris(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot list .* codec can't decode"):
        find_on(folder.as_uri() + "/")
    text = [path for path in videos(folder) if storable(path) == path]
    copied = tmp_path / "a b"
    copied.mkdir()
    for path in text:
        shutil.copy(path, copied)
    place = copied.as_uri() + "/"
    uris = find_on(place)
    assert [uri.rsplit("/", 1)[1] for uri in uris] == [Path(path).name for path in text]
    out = (tmp_path / "out").as_uri()
    command = ["cluster", place, "--device", "cpu", "--workers", "2"]
    done = CliRunner().invoke(app, [*command, "-o", out])
    assert done.exit_code == 1, done.output
    assert f"{VIDEOS} scored, 1 failed" in done.stdout
    assert by_path(read_shards(out)).keys() == set(uris)
    assert CliRunner().invoke(app, command).exit_code == 2, "--output is required"
    done = CliRunner().invoke(app, [*command, "-o", "nowhere://at/all"])
    assert "Cannot keep shards in 'nowhere://at/all'" in str(done.exception)
    with pytest.raises(SettingsError, match="9 readers and 1 scorers need 10 CPUs, and the"):
        score_on_ray([], out, SETTINGS, cluster=Cluster(readers=9))
    with pytest.raises(SettingsError, match="2 scorers need 1 GPUs, and the cluster has 0"):
        score_on_ray([], out, SETTINGS, cluster=Cluster(readers=1, scorers=2, gpus=0.5))


@pytest.mark.parametrize(
    ("place", "start", "end"),
    [
        ("gs://anonymous@bucket/a%20b/", "gs://anonymous@bucket/a%20b/", ""),
        ("s3://key:secret@bucket/", "s3://key:secret@bucket/", ""),
        ("s3://bucket/deep/?region=eu-1", "s3://bucket/deep/", "?region=eu-1"),
        ("hdfs://host:9000/clips/", "hdfs://host:9000/clips/", ""),
    ],
)
def test_uris_of_videos_in_a_folder(
    place: str, start: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("x y.mp4", "sub/z.mkv", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    local = pafs.LocalFileSystem()
    monkeypatch.setattr(locations.pafs, "FileSystem", Mapped(local, str(tmp_path)))
    assert find_on(place) == [f"{start}sub/z.mkv{end}", f"{start}x%20y.mp4{end}"]


class Mapped:
    """Stands for every filesystem; the folder lies on this machine."""

    def __init__(self, filesystem: pafs.FileSystem, root: str) -> None:
        self._found = filesystem, root

    def from_uri(self, _: str) -> tuple[pafs.FileSystem, str]:
        return self._found


def test_another_table_is_left_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    with pytest.raises(SettingsError, match=r"a table without scores: 'mine\.parquet'"):
        score_on_ray(videos(folder), str(tmp_path), SETTINGS, cluster=CLUSTER)
    assert other.exists()
    assert [stamp_on(path) for path in ("s3://b/a b", "http://x/y", "/\udcff.mp4")] == [
        (None, None)
    ] * 3
    with pytest.raises(SettingsError, match="Cannot list"):
        find_on("file:///nowhere/")


def test_a_scorer_that_cannot_be_made_ends_the_job(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ray_batch._for_actors
    monkeypatch.setattr(
        ray_batch, "_for_actors", lambda *a: there(*a) | {"weights": "/not/on/this/node.pth"}
    )
    with pytest.raises(EngineError, match=r"job stopped: .*node\.pth.* run it again to resume"):
        score_on_ray(videos(folder), str(tmp_path / "out"), SETTINGS, cluster=CLUSTER)
