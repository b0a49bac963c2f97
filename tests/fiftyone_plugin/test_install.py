"""The plugin in place: by link, by copy, by download, by command; and what is missing said."""

import os
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fo_helpers import ROOT
from typer.testing import CliRunner

from dover_plugin.cli import app

FIFTYONE = Path(sys.executable).parent / "fiftyone"
REGISTERED = """
from fiftyone.plugins.context import build_plugin_contexts
[context] = [c for c in build_plugin_contexts() if c.name == "@dover/quality"]
assert not context.errors, context.errors
print(sorted(operator.name for operator in context.instances))
"""


def declared() -> list[str]:
    lines = (ROOT / "fiftyone.yml").read_text().split("operators:")[1].splitlines()
    return sorted(line.removeprefix("  - ") for line in lines if line.startswith("  - "))


def registered(plugins_dir: Path, *flags: str, cwd: Path = ROOT) -> list[str]:
    env = {**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins_dir)}
    command = [sys.executable, *flags, "-c", REGISTERED]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    names: list[str] = eval(done.stdout.splitlines()[-1])
    return names


def test_what_is_declared_is_registered() -> None:
    import fiftyone.operators as foo

    found = [op.name for op in foo.list_operators() if op.uri.startswith("@dover/quality/")]
    assert sorted([*found, "setup"]) == declared(), "setup is there only when something is missing"


def test_the_packaged_manifest_is_the_roots() -> None:
    packaged = (ROOT / "fiftyone_plugin/plugin.yml").read_text()
    assert packaged == (ROOT / "fiftyone.yml").read_text()
    assert (ROOT / "fiftyone_plugin/icon.svg").read_text().startswith("<svg")


def test_the_version_of_the_manifest_is_that_of_the_package() -> None:
    from dover_plugin import __version__

    for name in ("fiftyone.yml", "CITATION.cff"):
        assert f"\nversion: {__version__}\n" in (ROOT / name).read_text()


def test_requirements_are_those_of_the_project() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["fiftyone"]
    known = {*project["dependencies"], *extra}
    assert wanted <= known
    not_used_here = {"typer", "rich", "fiftyone"}
    assert {d.split(">")[0] for d in known - wanted} == not_used_here


def test_install_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["fiftyone", "install", "--plugins-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "dover-quality"
    assert f"Installed in '{folder}'" in done.output
    assert "Next: open a dataset" in done.output
    for name in ("icon.svg", "icon-light.svg", "icon-dark.svg", "app.js"):
        packaged = ROOT / "fiftyone_plugin" / name
        assert (folder / "fiftyone_plugin" / name).read_text() == packaged.read_text()
    assert (folder / "requirements.txt").read_text().startswith("dover-plugin[fiftyone]==")
    names = registered(tmp_path)
    assert sorted([*names, "setup"]) == declared()
    again = CliRunner().invoke(app, ["fiftyone", "install", "--plugins-dir", str(tmp_path)])
    assert again.exit_code == 0, "installing again renews it"


def test_a_second_copy_is_reported(tmp_path: Path) -> None:
    other = tmp_path / "by-hand"
    other.mkdir()
    (other / "fiftyone.yml").write_text((ROOT / "fiftyone.yml").read_text())
    done = CliRunner().invoke(app, ["fiftyone", "install", "--plugins-dir", str(tmp_path)])
    assert done.exit_code == 0
    assert f"'{other}' holds the plugin, too" in done.output


def test_a_link_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "dover").symlink_to(ROOT)
    assert "score_videos" in registered(tmp_path)


def test_download_by_fiftyone(tmp_path: Path) -> None:
    """As from a release's archive; then without this project installed."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    with zipfile.ZipFile(tmp_path / "dover.zip", "w") as archive:
        for name in filter(None, tracked):
            if (ROOT / name).is_file():
                archive.write(ROOT / name, name)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    env = {**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins)}
    try:
        url = f"http://127.0.0.1:{server.server_port}/dover.zip"
        subprocess.run([FIFTYONE, "plugins", "download", url], env=env, check=True, timeout=180)
    finally:
        server.shutdown()
    [manifest] = plugins.rglob("fiftyone.yml")
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
    )
    env = {**env, "PYTHONPATH": str(hide)}
    code = REGISTERED + "import dover_plugin; print(dover_plugin.__file__)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(str(manifest.parent))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'safetensors' else find(name, *a)\n"
    )
    code = (
        "import sys; sys.path.insert(0, 'tests/fiftyone_plugin')\n"
        "import fiftyone as fo, fiftyone.operators as foo\n"
        "names = [o.name for o in foo.list_operators() if o.uri.startswith('@dover/quality/')]\n"
        "assert names == ['setup'], names\n"
        "form = foo.get_operator('@dover/quality/setup').resolve_input(None).to_json()\n"
        "print(form['type']['properties']['missing']['view'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(hide)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "safetensors missing" in done.stdout
    assert "fiftyone plugins requirements @dover/quality --install" in done.stdout


def test_without_fiftyone_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from dover_plugin.errors import SettingsError
    from fiftyone_plugin import install

    monkeypatch.setattr(install, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install \"dover-plugin\[fiftyone\]\""):
        install.install()
