"""From frames to records: every layer of every packet, tunnels within tunnels, into one flow table."""

from __future__ import annotations

from typing import Any

from . import links, packets, tunnels
from .conversations import Conversation
from .fragments import Fragments
from .ip import Datagram, Fragment, parse
from .table import Table
from .tunnels import GTP, Inside
from .view import View

DEPTH = 4
"""Tunnels within one another that are followed."""


class Walk:
    """The model: frames in, records out."""

    def __init__(self) -> None:
        self.table = Table()
        self._fragments = Fragments()

    def frame(self, time: int, data: bytes, wire: int, link: int = 1) -> None:
        """One frame, of `wire` bytes before the capture cut it."""
        self.table.tick(time)
        self._all(time, links.packets(link, View(data, max(wire, len(data)))), ())

    def records(self) -> list[dict[str, Any]]:
        """Of all conversations, those that go on too."""
        return self.table.records()

    def _all(self, time: int, found: links.Found, around: tuple[str, ...]) -> None:
        for packet, vlans in found:
            part = parse(packet)
            while isinstance(part, Fragment):
                part = self._fragments.take(self.table.now, part)
            if part:
                self._datagram(time, part, vlans, around)

    def _datagram(self, time: int, datagram: Datagram, vlans: tuple[int, ...], around: tuple[str, ...]) -> None:
        body, inside = datagram.body, None
        if datagram.protocol == tunnels.GRE:
            inside = tunnels.gre(body)
        elif datagram.protocol in (tunnels.IP_IN_IP, tunnels.IP6_IN_IP):
            inside = tunnels.in_ip(datagram.protocol, body)
        elif packet := packets.read(time, datagram, vlans):
            conversation = self.table.take(packet)
            if packet.protocol == packets.UDP:
                inside = self._over_udp(conversation, body.behind(8), around)
        if inside and len(around) < DEPTH:
            self._all(time, inside.packets, (*around, inside.kind))

    def _over_udp(self, conversation: Conversation, body: View, around: tuple[str, ...]) -> Inside | None:
        reader = tunnels.over_udp(conversation.resp.port, body)
        if reader is None or conversation.no_tunnel:
            return None
        if len(around) >= DEPTH and reader in tunnels.SAID_IN_HISTORY:
            conversation.too_deep()
            return None
        if reader is tunnels.gtp and around[-1:] == (GTP,):
            return None
        inside = reader(body)
        conversation.no_tunnel = inside is None
        return inside
