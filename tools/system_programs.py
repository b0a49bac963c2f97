"""Install programs that only tests need, on Debian or Ubuntu: as root, or with sudo in CI.

Elsewhere it does nothing: the tests that need them skip and say so.
"""

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "ffmpeg": "ffmpeg",
    "x264": "x264",
    "x265": "x265",
    "SvtAv1EncApp": "svt-av1",
    "mkvmerge": "mkvtoolnix",
    "chromium": "chromium",
}


def main():
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"] if os.environ.get("CI") else None
    if not shutil.which("apt-get") or sudo is None:
        print("Not installed, so some tests skip: " + " ".join(missing), file=sys.stderr)
        return
    print("Installing " + " ".join(missing) + " ...", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        if subprocess.run([*sudo, *command], env=quiet, stdout=subprocess.DEVNULL).returncode:
            print("apt-get failed; some tests skip: " + " ".join(missing), file=sys.stderr)
            return


if __name__ == "__main__":
    main()
