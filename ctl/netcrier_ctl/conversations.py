"""Which conversations are meant: tests of a record, from the filters of a command line.

Filters of one kind are alternatives, filters of different kinds must all hold; `--not` turns the one that follows it.
"""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from netcrier_ctl.log_files import epoch


class Flow(msgspec.Struct, frozen=True, rename={"orig": "id.orig_h", "orig_port": "id.orig_p", "resp": "id.resp_h",
                                                "resp_port": "id.resp_p"}):  # fmt: skip
    """What is shown of a record of conn.log; its keys are Zeek's."""

    ts: float | str
    orig: str
    resp: str
    proto: str
    uid: str = ""
    orig_port: int | None = None
    resp_port: int | None = None
    service: str | None = None
    duration: float | None = None
    conn_state: str | None = None
    orig_ip_bytes: int | None = None
    resp_ip_bytes: int | None = None
    orig_rtt: float | None = None
    resp_rtt: float | None = None
    orig_retransmits: int | None = None
    resp_retransmits: int | None = None
    partial: bool = False

    @property
    def rtt(self) -> float | None:
        """Seconds of TCP's handshake, from end to end; None where one side is not known."""
        return None if self.orig_rtt is None or self.resp_rtt is None else self.orig_rtt + self.resp_rtt

    @property
    def retransmits(self) -> str | None:
        """Of the originator and of the responder; None where none can be."""
        return f"{self.orig_retransmits or 0} / {self.resp_retransmits or 0}" if self.proto == "tcp" else None

    @property
    def end(self) -> float:
        """Epoch seconds of the last packet."""
        return epoch(self.ts) + (self.duration or 0.0)

    @property
    def size(self) -> int:
        """IP bytes of both directions."""
        return (self.orig_ip_bytes or 0) + (self.resp_ip_bytes or 0)


Test = Callable[[Flow], bool]


class Filter(msgspec.Struct, frozen=True):
    """One filter of the command line."""

    kind: str
    test: Test
    negated: bool
    text: str
    """As it was written."""


def meets(flow: Flow, filters: Iterable[Filter]) -> bool:
    """Whether a conversation is meant."""
    wanted: dict[str, bool] = {}
    for one in filters:
        holds = one.test(flow)
        if one.negated:
            if holds:
                return False
        else:
            wanted[one.kind] = wanted.get(one.kind, False) or holds
    return all(wanted.values())


def only(filters: Iterable[Filter], kind: str) -> str | None:
    """What every conversation that is meant must match of this kind, as it was written; None: there is no one such."""
    texts = [one.text for one in filters if one.kind == kind and not one.negated]
    return texts[0] if len(texts) == 1 else None


def add_filters(parser: ArgumentParser) -> None:
    """The options; `filters` of what is parsed is a list of Filter."""
    parser.set_defaults(filters=[])
    group = parser.add_argument_group("which", "of one kind any, of different kinds all; --not turns the next one")
    for name, (kind, make, metavar, text) in _FILTERS.items():
        group.add_argument(name, action=_Add, const=make, metavar=metavar, help=text, dest=kind)
    group.add_argument("--not", action=_Not, nargs=0, help="the next filter must not hold", dest="negate")


class _Not(Action):
    def __call__(self, parser: ArgumentParser, namespace: Namespace, *_rest: Any) -> None:
        if getattr(namespace, "negate", None):
            parser.error("--not --not")
        namespace.negate = True


class _Add(Action):
    def __call__(self, _parser: ArgumentParser, namespace: Namespace, values: Any, *_rest: Any) -> None:
        make: Callable[[str], Test] = self.const
        try:
            test = make(values)
        except ArgumentTypeError as error:
            raise ArgumentError(self, str(error)) from None
        negated = bool(getattr(namespace, "negate", None))
        namespace.filters = [*namespace.filters, Filter(self.dest, test, negated, values)]
        namespace.negate = None


def _network(text: str) -> Callable[[str], bool]:
    from ipaddress import ip_address, ip_network

    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither an address nor a network, as 10.0.7.11 or 10.0.7.0/24") from None
    return lambda address: ip_address(address) in network


def host_test(text: str) -> Test:
    """An address, or a network as 10.0.7.0/24, at either end."""
    inside = _network(text)
    return lambda flow: inside(flow.orig) or inside(flow.resp)


def _from(text: str) -> Test:
    inside = _network(text)
    return lambda flow: inside(flow.orig)


def _to(text: str) -> Test:
    inside = _network(text)
    return lambda flow: inside(flow.resp)


def ports(text: str) -> tuple[int, int]:
    """The first and the last of a range, as 8000-8999; of a port it alone. Raises ArgumentTypeError."""
    low, dash, high = text.partition("-")
    ends = (low, high or "65535") if dash else (low, low)
    if not all(end.isdecimal() and int(end) <= 65535 for end in ends) or int(ends[0]) > int(ends[1]):
        raise ArgumentTypeError(f"{text!r} is not a port or a range of ports, as 443 or 8000-8999")
    return int(ends[0]), int(ends[1])


def _port(text: str) -> Test:
    first, last = ports(text)
    return lambda flow: any(port is not None and first <= port <= last for port in (flow.orig_port, flow.resp_port))


def _proto(text: str) -> Test:
    wanted = text.lower()
    return lambda flow: flow.proto == wanted


def _state(text: str) -> Test:
    wanted = text.upper()
    return lambda flow: flow.conn_state == wanted


def _service(text: str) -> Test:
    wanted = text.lower()
    return lambda flow: wanted in (flow.service or "").split(",")


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "k": 10**3, "m": 10**6, "g": 10**9}


def _bytes(text: str) -> Test:
    number = text.lower().rstrip("bkmgt ")
    unit = text.lower()[len(number) :].strip()
    if not number.replace(".", "", 1).isdecimal() or unit not in _UNITS:
        raise ArgumentTypeError(f"{text!r} is not a size, as 500kB or 1MB")
    least = float(number) * _UNITS[unit]
    return lambda flow: flow.size >= least


_FILTERS: dict[str, tuple[str, Callable[[str], Test], str, str]] = {
    "--host": ("host", host_test, "ADDRESS", "with this end; 10.0.7.0/24 for a network"),
    "--from": ("from", _from, "ADDRESS", "that this one began"),
    "--to": ("to", _to, "ADDRESS", "that were begun towards this one"),
    "--port": ("port", _port, "PORT", "with this port at either end; 8000-8999 for a range"),
    "--proto": ("proto", _proto, "NAME", "tcp, udp, icmp"),
    "--state": ("state", _state, "STATE", "Zeek's conn_state, as SF or S0"),
    "--service": ("service", _service, "NAME", "what was recognised, as dns"),
    "--bytes": ("bytes", _bytes, "SIZE", "of at least so many IP bytes, as 1MB"),
}
