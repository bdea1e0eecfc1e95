"""An engine for fuzzing: under AddressSanitizer, with its edges counted; on request with a bug planted in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "daemons/netcrier/analyzerd/engine"
GCC = shutil.which("gcc") or "gcc"
SANITIZED = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address", "-fPIC", "-w")
TRACED = "-fsanitize-coverage=trace-pc,trace-cmp"

Bug = tuple[str, str, str]
"""A source, what stands there, and what is to stand there."""


def build(into: Path, bugs: tuple[Bug, ...] = ()) -> None:
    """Compile the engine as a module `kernel` in this folder."""
    sources = into / "sources"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("*.so", "*.c", "*.py", "*.pyi", "__pycache__"))
    for name, old, new in bugs:
        text = (sources / name).read_text()
        assert old in text, f"{name} is no longer as the bug wants it"
        (sources / name).write_text(text.replace(old, new))
    _run([sys.executable, "-m", "cython", "-3", "-X", "show_performance_hints=False", "kernel.pyx"], sources)
    include = f"-I{sysconfig.get_paths()['include']}"
    _run([GCC, *SANITIZED, TRACED, include, "-c", "kernel.c", "-o", "kernel.o"], sources)
    _run([GCC, "-O2", "-fPIC", "-c", str(Path(__file__).with_name("coverage.c")), "-o", "coverage.o"], sources)
    target = into / f"kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    _run([GCC, "-shared", "-fsanitize=address", "kernel.o", "coverage.o", "-ldl", "-o", str(target)], sources)


def fuzz(seconds: int, folder: Path, *, sanitized: bool) -> subprocess.CompletedProcess[str]:
    """Run the target for so long, in a process of its own; what crashes it lies in `folder` then.

    Either the engine in `folder` is watched and sanitized, or the installed one is taken and the readers are watched:
    in front of the sanitizer's library atheris sees nothing of Python.
    """
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    if sanitized:
        command = [GCC, "-print-file-name=libasan.so"]
        library = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        environ |= {"LD_PRELOAD": library, "PYTHONMALLOC": "malloc", "ASAN_OPTIONS": "detect_leaks=0"}
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    flags = [f"-max_total_time={seconds}", "-seed=1", "-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=1"]
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.target",
        str(folder),
        *flags,
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=seconds + 120, check=False)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, timeout=300)
