"""The keeper: ends the process groups of local replicas when weft is gone, however it went.

Run as ``python -I -S keeper_process.py MARK GRACE`` with a pipe from weft as standard input and a session of
its own, so that neither Ctrl-C in the terminal nor SIGKILL for weft reaches it.  Lines ``+PGID`` and ``-PGID``
say which groups there are.  When the pipe breaks, the groups get SIGTERM, GRACE seconds, SIGKILL.

Groups alone would miss what was started in the instant before weft died, and what moved to a session of its
own; so everything whose environment carries ``WEFT_MARK=MARK`` is ended as well.  A subreaper would find
the latter too, but then weft would have to wait for processes that it does not know.
Only built-in modules are imported: this process exists to be small.
"""

# Plain numbers, since the enums of `signal` would be a tenth of this process.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys
import time

MARK = "WEFT_MARK"


def listen(pipe: int) -> set[int]:
    """Follow the lines until the pipe breaks; returns the groups that are left."""
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(pipe, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    return groups


def marked(mark: bytes) -> set[int]:
    """Processes of this user whose environment carries the mark."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.add(int(name))
            except OSError:
                continue  # ended meanwhile, or another user's
    return found


def living(groups: set[int]) -> set[int]:
    """Those of `groups` that have a process which is not a zombie: who reaps orphans may be slow, or nobody."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, _parent, group = file.read().rpartition(b")")[2].split()[:3]
            except OSError:
                continue  # ended meanwhile
            if state not in (b"Z", b"X") and int(group) in groups:
                found.add(int(group))
    return found


def send(groups: set[int], mark: bytes, number: int) -> None:
    """Signal all that is left."""
    for kill, targets in ((os.killpg, groups), (os.kill, marked(mark))):
        for target in targets:
            try:
                kill(target, number)
            except (ProcessLookupError, PermissionError):
                continue


def end(groups: set[int], mark: bytes, grace: float) -> None:
    """SIGTERM, up to `grace` seconds, SIGKILL to what is still there: the number of a group that is gone may be
    another's by then.
    """
    deadline = time.monotonic() + grace
    send(groups, mark, signal.SIGTERM)
    while (groups := living(groups)) or marked(mark):
        if time.monotonic() > deadline:
            send(groups, mark, signal.SIGKILL)
            return
        time.sleep(0.05)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark, grace = sys.argv[1:]
    end(listen(0), f"{MARK}={mark}".encode(), float(grace))


if __name__ == "__main__":
    main()
