"""The Community ID of a conn record by the package of that name."""

from __future__ import annotations

from typing import Any

from communityid import CommunityID, FlowTuple

_MAKERS = {
    1: FlowTuple.make_icmp,
    58: FlowTuple.make_icmp6,
    6: FlowTuple.make_tcp,
    17: FlowTuple.make_udp,
}


SCTP = 132


def community_id(record: dict[str, Any]) -> str | None:
    """Version 1, seed 0; none of SCTP, whose ports would belong to it and stand in no record."""
    if record["ip_proto"] == SCTP:
        return None
    ends = (record["id.orig_h"], record["id.resp_h"])
    make = _MAKERS.get(record["ip_proto"])
    ports = (record["id.orig_p"], record["id.resp_p"])
    return str(CommunityID().calc(make(*ends, *ports) if make else FlowTuple(record["ip_proto"], *ends)))
