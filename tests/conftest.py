"""Fixtures and the rule for tests that need a system program."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# Before torch is imported, and for every command that a test starts.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

import torch
from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.weights.store import cached

os.environ.setdefault("DOVER_ENGINE", "openvino")
# Background jobs of a shell ignore Ctrl-C, and so would every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED = Path(__file__).parents[2] / "shared"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("program"):
        missing = [name for name in marker.args if not shutil.which(name)]
        if missing:
            reason = f"needs the program {', '.join(missing)}"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason}, which CI must have", pytrace=False)
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("skipped", [])
    programs = [r for r in reports if "needs the program" in str(r.longrepr)]
    if programs:
        terminalreporter.write_line(
            f"{len(programs)} tests skipped for want of system programs: see CONTRIBUTING.md"
        )


@pytest.fixture(scope="session")
def compiled_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of compiled networks that all tests and their processes share; compiling is slow."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory,
    compiled_networks: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No test sees or writes the user's cache."""
    home = tmp_path_factory.mktemp("home")
    with suppress(OSError):  # Windows may not allow links
        (home / "compiled").symlink_to(compiled_networks, target_is_directory=True)
    monkeypatch.setenv("DOVER_HOME", str(home))
    monkeypatch.delenv("DOVER_ACCEPT_LICENSE", raising=False)


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Iterator[None]:
    """No test leaves the process with real-time priority, which can starve the whole machine."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.fixture(scope="session")
def fast_vqa_m(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of untrained weights of fast-vqa-m, under the names that its authors use."""
    file = tmp_path_factory.mktemp("weights") / "fast-vqa-m.pth"
    torch.save({"state_dict": _under_published_names("fast-vqa-m")}, file)
    return file


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory, fast_vqa_m: Path) -> dict[str, Path]:
    """Files of untrained weights by model; those of dover-open are in the package, trained."""
    folder = tmp_path_factory.mktemp("weights")
    files = {}
    for model in ("dover", "dover-mobile"):
        files[model] = folder / f"{model}.pth"
        torch.save(seeded_state_dict(CONFIGS[model]), files[model])
    files["dover-open"] = cached("dover-open")
    files["fast-vqa-m"] = fast_vqa_m
    return files


def _under_published_names(model: str) -> dict[str, torch.Tensor]:
    """Untrained weights as the file of the model names them."""
    renamed = {}
    for key, tensor in seeded_state_dict(CONFIGS[model]).items():
        theirs, ours = next(n for n in CONFIGS[model].published_names if key.startswith(n[1]))
        renamed[theirs + key.removeprefix(ours)] = tensor
    return renamed


@pytest.fixture(scope="session")
def mobile(seeded: dict[str, Path]) -> Scorer:
    """A scorer with untrained weights of the small model."""
    return Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"])


@pytest.fixture(scope="session")
def bundled() -> Scorer:
    """A scorer with the model of the package, the fastest one."""
    return Scorer(device="cpu")


@pytest.fixture(scope="session")
def one_score(fast_vqa_m: Path) -> Scorer:
    """A scorer with untrained weights of a model with one score."""
    return Scorer("fast-vqa-m", "cpu", weights=fast_vqa_m)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of H.264, 60 frames of 320x240."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def shared_clips() -> Path:
    """Real videos that lie beside the project in some places."""
    folder = SHARED / "clips"
    if not folder.is_dir():
        pytest.skip("the shared clips are not here")
    return folder
