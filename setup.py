"""Only what setup.cfg cannot say: the compiled engine, left out where it cannot be compiled."""

from __future__ import annotations

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ENGINE = "daemons/netcrier/analyzerd/engine"


class OptionalEngine(build_ext):
    """Leave the engine out where there is no compiler; analyzerd then says what to install."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # any failure of any compiler means the same: no engine
            print(f"netcrier: built without the analyzer's engine: {error}")


setup(
    ext_modules=[Extension("netcrier.analyzerd.engine.kernel", [f"{ENGINE}/kernel.pyx"])],
    cmdclass={"build_ext": OptionalEngine},
)
