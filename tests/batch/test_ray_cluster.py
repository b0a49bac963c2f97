"""A Ray cluster that is started here cannot be reached from other machines."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.timeout(600)

PROGRAM = """
import ipaddress, json, psutil
from dover_plugin.batch.ray_cluster import connect

connect("auto")

import ray

@ray.remote
def double(value):
    return 2 * value

result = ray.get(double.remote(4))
me = psutil.Process()
sockets = [
    (process.name(), socket.laddr.ip)
    for process in (me, *me.children(recursive=True))
    for socket in process.net_connections("inet")
    if socket.status == psutil.CONN_LISTEN
]

# An IPv4 address may be written as ::ffff:127.0.0.1.
plain = [(name, ip.removeprefix("::ffff:")) for name, ip in sockets]
open_to_others = [each for each in plain if not ipaddress.ip_address(each[1]).is_loopback]
print(json.dumps([result, len(sockets), open_to_others]))
ray.shutdown()
"""


def run(program: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment | variables,
        timeout=500,
    )


def test_a_cluster_that_is_started_here_listens_on_the_loopback_only() -> None:
    with TemporaryDirectory(prefix="ray") as folder:  # tmp_path is too long for Ray's sockets
        done = run(PROGRAM, RAY_TMPDIR=folder)
    assert done.returncode == 0, done.stderr
    result, listening, open_to_others = json.loads(done.stdout.splitlines()[-1])
    assert result == 8
    assert listening > 0
    assert open_to_others == []


def test_an_address_that_is_none_is_said() -> None:
    program = "from dover_plugin.batch.ray_cluster import connect; connect('no address')"
    done = run(program)
    assert "SettingsError: Cannot connect to a Ray cluster at 'no address' (" in done.stderr
