"""A daemon loads one OpenSSL, cryptography's, and works without Python's."""

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
