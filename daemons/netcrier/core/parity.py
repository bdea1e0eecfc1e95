"""Parity of a block: any `count` of its fragments and parity pieces restore all. The one module that knows zfec.

zfec is an extra (`pip install netcrier[fec]`): without it a master repeats fragments and a node says that it cannot use
parity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netcrier.wire.limits import FRAGMENT_SIZE, PLACES_MAX

try:
    import zfec
except ImportError:  # the extra is not installed
    zfec = None


class Parity:
    """Encoders and decoders by the number of fragments, made once each: their tables cost a millisecond."""

    def __init__(self) -> None:
        self._encoders: dict[int, zfec.Encoder] = {}
        self._decoders: dict[int, zfec.Decoder] = {}

    def encoded(self, fragments: Sequence[bytes], places: Sequence[int]) -> list[bytes]:
        """The parity pieces at `places`, each of FRAGMENT_SIZE bytes."""
        count = len(fragments)
        encoder = self._encoders.get(count)
        if encoder is None:
            encoder = self._encoders[count] = zfec.Encoder(count, PLACES_MAX)
        whole = [fragment.ljust(FRAGMENT_SIZE, b"\0") for fragment in fragments]
        return [bytes(piece) for piece in encoder.encode(whole, list(places))]

    def restored(self, pieces: Mapping[int, bytes], count: int) -> list[bytes]:
        """All `count` fragments, filled up with zeros, from at least as many pieces by place."""
        decoder = self._decoders.get(count)
        if decoder is None:
            decoder = self._decoders[count] = zfec.Decoder(count, PLACES_MAX)
        # Fragments stand at their own places, as zfec wants primary shares.
        chosen = dict(sorted(pieces.items())[:count])
        spare = [place for place in chosen if place >= count]
        order = [place if place in chosen else spare.pop() for place in range(count)]
        whole = [chosen[place].ljust(FRAGMENT_SIZE, b"\0") for place in order]
        return [bytes(piece) for piece in decoder.decode(whole, order)]


def parity() -> Parity | None:
    """The code where it is installed."""
    return Parity() if zfec else None
