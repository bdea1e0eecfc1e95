"""The host's links, by rtnetlink(7): which are up, and which are ports of a bridge or bond."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEADER = Struct("=IHHII")
_GETLINK, _NEWLINK, _DONE, _ERROR = 18, 16, 3, 2
_REQUEST_DUMP = 0x301
_NAME, _MASTER = 3, 10
_UP, _LOOPBACK = 0x1, 0x8


@dataclass(frozen=True, slots=True)
class Link:
    """One link; `master` is the index of the bridge or bond that it is a port of, 0 without one."""

    index: int
    name: str
    up: bool
    loopback: bool
    master: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Names to capture, and names left out because their master is captured."""

    captured: tuple[str, ...]
    left_out: tuple[str, ...]


def links() -> list[Link]:
    """Every link of this network namespace. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(_HEADER.pack(_HEADER.size + 16, _GETLINK, _REQUEST_DUMP, 1, 0) + bytes(16))
        return list(_links(iter(lambda: netlink.recv(1 << 16), b"")))


def choose(known: Iterable[Link]) -> Choice:
    """All that are up and not loopback; of a bridge and its ports only the bridge, so nothing counts twice."""
    up = [link for link in known if link.up and not link.loopback]
    indexes = {link.index for link in up}
    return Choice(
        tuple(link.name for link in up if link.master not in indexes),
        tuple(link.name for link in up if link.master in indexes),
    )


def _links(answers: Iterable[bytes]) -> Iterator[Link]:
    for answer in answers:
        data = answer
        while len(data) >= _HEADER.size:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise OSError("the kernel refused to list the links")
            if kind == _NEWLINK:
                yield _link(data[_HEADER.size : length])
            data = data[(length + 3) & ~3 :]


def _link(body: bytes) -> Link:
    index, flags = Struct("=4xiI").unpack_from(body)
    name, master, at = "?", 0, 16
    while len(body) - at >= 4:
        length, kind = Struct("=HH").unpack_from(body, at)
        if length < 4:
            break
        if kind == _NAME:
            name = body[at + 4 : at + length].rstrip(b"\0").decode(errors="replace")
        elif kind == _MASTER:
            (master,) = Struct("=I").unpack_from(body, at + 4)
        at += (length + 3) & ~3
    return Link(index, name, bool(flags & _UP), bool(flags & _LOOPBACK), master)
