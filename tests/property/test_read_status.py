"""Whatever the capture is, `analyzerd --read` as a process ends with 0, or with 1 and a reason; its logs are whole."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import READER, seeds

CAPTURES = [seed[2:] for seed in seeds() if seed[0] == READER]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}

PLACE = st.floats(0, 1, exclude_max=True)
MANGLING = st.tuples(st.lists(st.tuples(PLACE, st.integers(0, 255)), max_size=4), st.one_of(st.just(1.0), PLACE))
"""Places and what is put there, and what part of the whole is left."""

Mangling = tuple[list[tuple[float, int]], float]
NOTHING: Mangling = ([], 1.0)


def mangled(data: bytes, mangling: Mangling) -> bytes:
    """Some bytes changed, the end cut off."""
    changes, left = mangling
    bent = bytearray(data)
    for place, value in changes if bent else ():
        bent[int(place * len(bent))] = value
    return bytes(bent[: int(len(bent) * left)])


@example(CAPTURES[0], "plain", NOTHING, NOTHING, False)
@example(CAPTURES[2], "zstd", NOTHING, NOTHING, True)
@example(CAPTURES[2], "gzip", NOTHING, ([], 0.5), True)
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CAPTURES), st.sampled_from(sorted(PACKERS)), MANGLING, MANGLING, st.booleans())
def test_the_process_ends_with_a_status_that_is_documented(
    capture: bytes, packer: str, within: Mangling, around: Mangling, piped: bool
) -> None:
    data = mangled(PACKERS[packer](mangled(capture, within)), around)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "capture").write_bytes(data)
        source = "-" if piped else str(folder / "capture")
        command = [sys.executable, "-m", "netcrier.analyzerd", "--read", source, "--log-dir", str(folder / "logs")]
        done = subprocess.run(command, input=data if piped else b"", capture_output=True, timeout=60, check=False)
        said = done.stderr.decode().splitlines()
        assert done.stdout == b""
        assert done.returncode == len(said), "0 in silence, or 1 with one line"
        assert all(line.startswith("analyzerd: ") for line in said)
        if within == around == NOTHING:
            assert done.returncode == 0
        for log in ("conn", "tunnel", "weird"):
            for line in (folder / "logs" / f"{log}.log").read_text().splitlines(keepends=True):
                assert line.endswith("}\n")
                json.loads(line)
