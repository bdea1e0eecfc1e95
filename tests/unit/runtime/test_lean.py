"""A daemon works without OpenSSL where Python has digests of its own; what long messages took goes back."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from netcrier.{daemon}.__main__ import main
try:
    main()
except SystemExit:
    pass
import asyncio, hashlib
import netcrier.{daemon}.app, netcrier.runtime.service
print([name for name in ("ssl", "_ssl", "_hashlib") if sys.modules.get(name)], hashlib.sha256(b"x").hexdigest()[:8])
"""


@pytest.mark.parametrize("daemon", ["noded", "masterd"])
def test_neither_ssl_nor_its_hashes_are_loaded(daemon: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(daemon=daemon), "--check-config"],
        env={"NETCRIER_CONFIG_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[] 2d711642"


def test_what_is_loaded_already_is_left_alone() -> None:
    code = "import ssl, sys; from netcrier.runtime.lean import bar_openssl; bar_openssl(); print(sys.modules['ssl'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "module 'ssl'" in done.stdout


def test_openssl_stays_where_python_has_no_digests_of_its_own() -> None:
    code = (
        "import sys; sys.modules.update(_sha2=None, _sha256=None)\n"
        "from netcrier.runtime.lean import bar_openssl; bar_openssl()\n"
        "import hashlib; print(hashlib.sha256(b'x').hexdigest()[:8])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("2d711642\n", "")


KEPT = """
from netcrier.runtime.lean import give_back
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4
before = resident()
pieces = [bytes(1100) for _ in range(4000)]
last = bytes(1100)  # at the end of the heap: what lies before it is not freed to the system by itself
del pieces
held = resident() - before
give_back()
print(held, resident() - before)
"""


def test_what_long_messages_took_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, timeout=60, check=True)
    held, left = map(int, done.stdout.split())
    assert held > 3000 > left
