"""Connect to a Ray cluster."""

import os

from dover_plugin.errors import SettingsError

# Despite its name, Ray reads this switch on every system. With 0, a cluster that ``ray.init``
# starts has the address 127.0.0.1, and its servers listen on the loopback interface only.
LOOPBACK_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def connect(address: str) -> None:
    """Join a Ray cluster, or start one on this machine.

    A cluster that is started here listens on the loopback interface only. Ray reads the switch for
    that when it is imported, so that this must be called before.

    Args:
        address: "host:port" of a cluster; "local" starts one on this machine; "auto" joins the
            cluster of $RAY_ADDRESS or the one that "ray start" has started on this machine, and
            starts one if there is none.

    Raises:
        SettingsError: there is no cluster at the address, or none can be started.
    """
    given = address if address != "auto" else os.environ.get("RAY_ADDRESS")
    if given in (None, "", "local"):
        os.environ.setdefault(LOOPBACK_SWITCH, "0")
    import ray

    try:
        ray.init(address=None if address == "auto" else address, ignore_reinit_error=True)
    except Exception as error:  # Ray's errors share no base class
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SettingsError(
            f"Cannot connect to a Ray cluster at '{address}' ({reason}). Check the address with "
            "'ray status'."
        ) from error
