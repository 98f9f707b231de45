"""``reach: route``: the route is set and removed, and what stands in the way is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import ServiceRange
from sidecar.errors import UserError
from sidecar.local_route import MARK, local_route

WANTED = ServiceRange("10.96.0.0/16", "route")


class Machine:
    """One with a table of local routes, which may be written or not."""

    def __init__(self, *routes: str, right: bool = True) -> None:
        self.routes = list(routes)
        self.right = right

    def __call__(self, *command: str) -> tuple[int, str]:
        program, _, what, verb, *rest = command
        assert (program, what) == ("ip", "route")
        if verb == "show":
            return 0, "".join(f"local {route} dev lo scope host\n" for route in self.routes if route == rest[-1])
        if not self.right:
            return 2, "RTNETLINK answers: Operation not permitted\n"
        (self.routes.append if verb == "add" else self.routes.remove)(rest[1])
        return 0, ""


def test_it_lasts_as_long_as_the_run(tmp_path: Path) -> None:
    machine = Machine()
    with local_route(WANTED, tmp_path, machine):
        assert machine.routes == ["10.96.0.0/16"]
        assert (tmp_path / MARK).read_text() == "10.96.0.0/16"
    assert machine.routes == []
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("reach", ["loopback", "ports"])
def test_who_wants_none_asks_for_none(reach: str, tmp_path: Path) -> None:
    def never(*command: str) -> tuple[int, str]:
        raise AssertionError(command)

    with local_route(ServiceRange("127.96.0.0/16", reach), tmp_path, never):  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []


def test_somebody_elses_route_is_used_and_stays(tmp_path: Path) -> None:
    machine = Machine("10.96.0.0/16", right=False)
    with local_route(WANTED, tmp_path, machine):
        assert machine.routes == ["10.96.0.0/16"]
    assert machine.routes == ["10.96.0.0/16"]


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    machine = Machine("10.96.0.0/16")
    (tmp_path / MARK).write_text("10.96.0.0/16")
    with local_route(WANTED, tmp_path, machine):
        assert machine.routes == ["10.96.0.0/16"]
    assert machine.routes == []


def test_without_the_right_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused, local_route(WANTED, tmp_path, Machine(right=False)):
        pass
    text = str(refused.value)
    for words in ("Operation not permitted", "CAP_NET_ADMIN", "ip route add local 10.96.0.0/16 dev lo", "reach: ports"):
        assert words in text
    assert not (tmp_path / MARK).exists()


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"ip: No such file or directory"), local_route(WANTED, tmp_path):
        pass


REAL = """
import socket, sys
from pathlib import Path
from config.settings import ServiceRange
from mesh.sockets import BindError, bind
from mesh.table import ListenerKey
from sidecar.errors import UserError
from sidecar.local_route import local_route, routed
def reached(address, wanted):
    try:
        bound = bind(ListenerKey(address, 0), routed=routed(wanted))
    except BindError:
        return False
    with bound.socket as listening, socket.socket(listening.family) as line:
        line.settimeout(5)
        return line.connect_ex(listening.getsockname()[:2]) == 0
for cidr, address in (("10.96.0.0/16", "10.96.3.4"), ("fd00:10:96::/108", "fd00:10:96::3:4")):
    wanted = ServiceRange(cidr, "route")
    try:
        with local_route(wanted, Path(sys.argv[1])):
            print("within", reached(address, wanted))
        print("after", reached(address, wanted))
    except UserError as error:
        print("refused", "CAP_NET_ADMIN" in str(error))
"""


def test_on_a_real_machine(tmp_path: Path) -> None:
    """In a network of its own if that may be had; else there is no right to routes either."""
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    may = subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0
    command = [*(alone if may else ()), sys.executable, "-c", REAL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    expected = "within True\nafter False\n" if may else "refused True\n"
    assert done.stdout == 2 * expected, done.stderr
