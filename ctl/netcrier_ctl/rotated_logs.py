"""Logs that a daemon has put aside, as `conn.log-20261125T213453.123456Z.zst`: which there are, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit

_TIME = "%Y%m%dT%H%M%S.%fZ"
_PACKED = (".zst", ".gz")


def rotated(log: Path, oldest: float | None) -> list[Path]:
    """The files of `log`, the newest first; none that was closed before `oldest` (epoch seconds)."""
    found: dict[str, Path] = {}
    for path in sorted(log.parent.glob(f"{log.name}-*")):
        name = path.stem if path.suffix in _PACKED else path.name
        at = name[len(log.name) + 1 :]
        closed = _closed(at)
        if closed is not None and (oldest is None or closed >= oldest):
            found[at] = path  # the compressed one, where its original is not gone yet
    return [found[at] for at in sorted(found, reverse=True)]


def _closed(at: str) -> float | None:
    """Epoch seconds of the time in a name; None where there is none."""
    from datetime import UTC, datetime

    try:
        return datetime.strptime(at, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


@contextmanager
def unpacked(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """The file as it was before it was compressed. Raises Failure."""
    if path.suffix not in _PACKED:
        yield file
        return
    from tempfile import TemporaryFile

    with TemporaryFile() as plain:
        try:
            _unpack(file, path, plain)
        except (OSError, EOFError) as error:
            raise Failure(Exit.FAILED, f"{path}: {error}") from None
        yield plain


def _unpack(file: BinaryIO, path: Path, plain: BinaryIO) -> None:
    import shutil

    if path.suffix == ".gz":
        import gzip

        with gzip.GzipFile(fileobj=file) as source:
            shutil.copyfileobj(source, plain)
        return
    try:
        import zstandard
    except ImportError:
        raise Failure(
            Exit.FAILED, f"{path} is compressed with zstd, which needs zstandard", "pip install 'netcrier[compress]'"
        ) from None
    try:
        zstandard.ZstdDecompressor().copy_stream(file, plain)
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from None
