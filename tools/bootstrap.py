"""Make .venv and install the project into it: ``python tools/bootstrap.py [EXTRA...]``.

Runs under any Python 3.8 or newer and needs nothing installed. It looks for a Python that the
project can use, makes .venv with it, and installs with uv where uv is there or pip can bring it,
else with pip. When nothing has changed since the last time it does nothing.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = os.path.join(BIN, "python")
STAMP = os.path.join(VENV, "installed.json")
TESTED = ("3.12", "3.13")
OLDEST = (3, 12)
HELP = (
    "No Python >= 3.12 was found. Get one from python.org, your distribution, 'uv python install "
    "3.12' or 'pyenv install 3.12', then run again, or set PYTHON to it."
)


def main(extras):
    fingerprint = _fingerprint()
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
        if stamp["fingerprint"] == fingerprint and set(extras) <= set(stamp["extras"]):
            return
        if stamp["fingerprint"] == fingerprint:
            extras = sorted(set(extras) | set(stamp["extras"]))
    except (OSError, ValueError, KeyError):
        pass
    if not _works(VENV_PYTHON):
        _make_venv()
    target = ROOT + ("[" + ",".join(extras) + "]" if extras else "")
    constraints = os.path.join(ROOT, "constraints.txt")
    print("Installing into .venv (the first time takes a few minutes) ...", flush=True)
    _install(["-c", constraints, "-e", target])
    with open(STAMP, "w") as file:
        json.dump({"fingerprint": fingerprint, "extras": list(extras)}, file)


def _fingerprint():
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _make_venv():
    python = _find_python()
    if python is None:
        sys.exit(HELP)
    shutil.rmtree(VENV, ignore_errors=True)
    print("Making .venv with " + python, flush=True)
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--python", python, VENV])
        return
    made = subprocess.run([python, "-m", "venv", VENV])
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("That Python cannot make a .venv. Install its venv module, or uv, and run again.")


def _install(arguments):
    """With uv, which pip may bring; with pip where there is no uv, or uv cannot."""
    pip = [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = shutil.which("uv") or os.path.join(BIN, "uv")
    if not os.path.exists(uv):
        subprocess.run([*pip, "uv"])
    if os.path.exists(uv):
        # Compiled once, as pip does: else each process does it anew where Python may not keep it.
        command = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", VENV_PYTHON]
        command += arguments
        if subprocess.run(command).returncode == 0:
            return
        print("uv could not install it; trying pip ...", flush=True)
        subprocess.run([VENV_PYTHON, "-m", "ensurepip", "--upgrade"], stdout=subprocess.DEVNULL)
    _run([*pip, *arguments])


def _find_python():
    """The first usable one of $PYTHON, the PATH, pyenv's versions and uv's; tested ones first."""
    if os.environ.get("PYTHON"):
        chosen = shutil.which(os.environ["PYTHON"])
        if not chosen or not _works(chosen):
            sys.exit("PYTHON=" + os.environ["PYTHON"] + " is not a Python >= 3.12.")
        return chosen
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    candidates = [shutil.which("python" + version) for version in TESTED]
    for version in TESTED:
        pattern = os.path.join(pyenv, "versions", version + "*", "bin", "python3")
        candidates += sorted(glob.glob(pattern), reverse=True)
    candidates += [sys.executable, shutil.which("python3"), shutil.which("python")]
    for candidate in candidates:
        if candidate and _works(candidate):
            return candidate
    uv = shutil.which("uv")
    if not uv:
        return None
    find = [uv, "python", "find", ">=3.12"]
    found = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if found.returncode:
        subprocess.run([uv, "python", "install", TESTED[0]], stderr=subprocess.DEVNULL)
        found = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return found.stdout.strip() or None


def _works(python):
    """Whether it starts, as some shims do not, and is new enough."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
    try:
        done = subprocess.run(
            [python, "-c", check], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    return done.returncode == 0


def _run(command):
    done = subprocess.run(command)
    if done.returncode:
        sys.exit("Failed: " + " ".join(command))


if __name__ == "__main__":
    main(sys.argv[1:])
