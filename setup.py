"""Only what setup.cfg cannot say: the compiled engine, left out where it cannot be compiled."""

from __future__ import annotations

import hashlib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ENGINE = Path("daemons/netcrier/analyzerd/engine")
SOURCES = sorted(path for path in ENGINE.iterdir() if path.suffix in (".pyx", ".pxi"))


def source_hash() -> str:
    """What the engine carries, so that a test can tell a stale one."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in SOURCES)).hexdigest()[:16]


class OptionalEngine(build_ext):
    """Leave the engine out where there is no compiler; analyzerd then says what to install."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - any failure of any compiler means the same: no engine
            print(f"netcrier: built without the analyzer's engine: {error}")


setup(
    ext_modules=[
        Extension(
            "netcrier.analyzerd.engine.kernel",
            [str(ENGINE / "kernel.pyx")],
            depends=[str(path) for path in SOURCES],
            define_macros=[("NETCRIER_SOURCE_HASH", f'"{source_hash()}"')],
            extra_compile_args=["-O3", "-fno-strict-aliasing"],
        )
    ],
    cmdclass={"build_ext": OptionalEngine},
)
