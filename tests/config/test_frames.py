"""What the helper writes; what its parent makes of it is in `test_aside`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from config.frames import END, FAULT, HEADER


def test_the_helper_can_be_started_by_hand(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "config.frames", str(tmp_path / "a.yaml")], capture_output=True, check=True
    )
    what, length = HEADER.unpack_from(done.stdout)
    assert what == FAULT
    assert b"no such file" in done.stdout[HEADER.size : HEADER.size + length]
    assert done.stdout[-6:] == HEADER.pack(END, 1) + msgspec.msgpack.encode(None)


def test_the_helper_imports_no_event_loop() -> None:
    code = "import sys, config.frames, sidecar.reader; print(sorted({'asyncio', 'ssl', 'mesh'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
