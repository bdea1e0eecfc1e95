"""What a node has on disk of one master, as its machine goes on from it."""

from __future__ import annotations

import msgspec

from netcrier.core.node.batch import Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.outcomes import Untold


class Kept(msgspec.Struct, frozen=True):
    """Nothing, where the node has never followed the master."""

    membership: Membership = Membership()
    lanes: tuple[Lane, ...] = ()
    untold: tuple[Untold, ...] = ()
    """What the master has not heard yet of single messages."""
    logged: bool = True
    """Whether the log has all up to the lanes' marks."""
    left: tuple[Lane, ...] = ()
    """Lanes as they left a term of which the master has not heard that the log has all."""
