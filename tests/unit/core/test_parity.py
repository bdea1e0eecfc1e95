"""Any `count` pieces restore a block."""

from __future__ import annotations

import random

import pytest
from netcrier.core.parity import Parity, parity
from netcrier.wire.limits import FRAGMENT_SIZE, FRAGMENTS_MAX, PLACES_MAX


def block(count: int) -> list[bytes]:
    chance = random.Random(count)
    return [*(chance.randbytes(FRAGMENT_SIZE) for _ in range(count - 1)), chance.randbytes(7)]


@pytest.mark.parametrize("count", [1, 2, 5, FRAGMENTS_MAX])
def test_any_pieces_of_enough_restore_the_block(count: int) -> None:
    code, fragments, chance = Parity(), block(count), random.Random(1)
    places = list(range(FRAGMENTS_MAX, PLACES_MAX))
    pieces = dict(enumerate(fragments)) | dict(zip(places, code.encoded(fragments, places), strict=True))
    for _ in range(20):
        chosen = dict(chance.sample(sorted(pieces.items()), count))
        restored = code.restored(chosen, count)
        assert [piece[: len(fragment)] for piece, fragment in zip(restored, fragments, strict=True)] == fragments


def test_the_tests_have_the_code_installed() -> None:
    assert isinstance(parity(), Parity)
