"""The number of commits beside a store: what of it counts, and for which file."""

from __future__ import annotations

import shutil
from pathlib import Path

from netcrier.masterd.store.watermark import Watermark


def beside(store: Path) -> Watermark:
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(b"store")
    return Watermark(store)


def test_it_is_known_to_the_next_run_and_rises(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    mark = beside(store)
    assert mark.read() == 0
    for commits in (1, 2, 300):
        mark.write(commits)
        assert Watermark(store).read() == commits
    mark.close()
    assert (tmp_path / "commits").stat().st_mode & 0o777 == 0o600


def test_a_copy_and_another_file_in_its_place_have_none(tmp_path: Path) -> None:
    store = tmp_path / "one" / "store.sqlite"
    mark = beside(store)
    mark.write(7)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert Watermark(tmp_path / "two" / "store.sqlite").read() == 0
    (tmp_path / "one" / "other").write_bytes(b"restored")
    (tmp_path / "one" / "other").replace(store)
    assert Watermark(store).read() == 0


def test_a_file_that_is_cut_or_cannot_be_written_says_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    mark = beside(store)
    mark.write(7)
    (tmp_path / "commits").write_bytes(b"short")
    assert Watermark(store).read() == 0
    (tmp_path / "commits").unlink()
    (tmp_path / "commits").mkdir()
    again = Watermark(store)
    again.write(8)
    assert again.read() == 0
    again.close()
