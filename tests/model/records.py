"""A conversation as its record: Zeek's conn_state, and the fields that the model and the engine are compared by."""

from __future__ import annotations

from itertools import dropwhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conversations import Conversation

SECOND = 1_000_000_000
SILENT = ("inactive", "partial")


def record_of(c: Conversation) -> dict[str, Any]:
    """The fields that the model and the engine are compared by."""
    o, r = c.orig, c.resp
    row: dict[str, Any] = {
        "id.orig_h": o.address,
        "id.orig_p": o.port,
        "id.resp_h": r.address,
        "id.resp_p": r.port,
        "ip_proto": c.protocol,
        "conn_state": state_of(c),
        "missed_bytes": c.missed,
        "orig_pkts": o.packets,
        "orig_ip_bytes": o.ip_bytes,
        "resp_pkts": r.packets,
        "resp_ip_bytes": r.ip_bytes,
    }
    if c.history:
        row["history"] = c.history
    tags = list(dropwhile(lambda vlan: not vlan, c.vlans))
    if tags:
        row["vlan"] = tags[0]
    if tags[1:] and tags[-1]:
        row["inner_vlan"] = tags[-1]
    if c.last > c.first:
        row["duration"] = round((c.last - c.first) / SECOND, 6)
        row["orig_bytes"] = o.size(r) if c.protocol == 6 else o.payload
        row["resp_bytes"] = r.size(o) if c.protocol == 6 else r.payload
    return row


def state_of(c: Conversation) -> str:
    """Zeek's conn_state."""
    o, r = c.orig, c.resp
    if c.protocol == 17:
        return {(True, True): "SF", (True, False): "S0", (False, True): "SHR"}[o.active, r.active]
    if c.protocol != 6:
        return "OTH"
    if r.state == "reset":
        silent = o.state == "reset" and not o.size(r) and not r.size(o)
        if o.state in ("syn", "synack") or silent:
            return "REJ"
        return "RSTRH" if o.state in SILENT else "RSTR"
    if o.state == "reset":
        if r.state not in SILENT:
            return "RSTO"
        plain = c.history.removeprefix("^")
        before, reset, _ = plain.partition("R")
        return "RSTOS0" if reset and plain[0] == "S" and not set(before) & set("HAFGIQ") else "OTH"
    if "closed" in (o.state, r.state):
        if o.state == r.state:
            return "SF"
        if o.state == "closed":
            return "SH" if r.state in SILENT else "S2"
        return "SHR" if o.state in SILENT else "S3"
    return {("syn", "inactive"): "S0", ("established", "established"): "S1"}.get((o.state, r.state), "OTH")
