"""The same bytes at once are a copy; later, or after many others, they are not."""

from __future__ import annotations

from netcrier.core.node.copies import KEPT, SOON, Copies


def test_the_same_bytes_within_a_second_are_a_copy() -> None:
    copies = Copies()
    assert not copies.is_copy(b"a", 1.0)
    copies.heard(b"a", 1.0)
    assert copies.is_copy(b"a", 1.0 + SOON)
    assert not copies.is_copy(b"a", 1.01 + SOON)
    assert not copies.is_copy(b"b", 1.0)


def test_only_the_newest_are_remembered() -> None:
    copies = Copies()
    for number in range(2 * KEPT):
        copies.heard(bytes([number]), 1.0)
        assert copies.is_copy(bytes([max(0, number - KEPT + 1)]), 1.0)
    copies.heard(b"next", 1.0)
    assert not copies.is_copy(bytes([KEPT - 1]), 1.0)
