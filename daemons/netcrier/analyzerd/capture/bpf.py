"""Packet filters (pcap-filter(7)): compiled by libpcap where it is installed, run by the kernel or here.

libpcap is loaded by ctypes when a filter is used and not before. Left out: what only a live libpcap handle can know, so
`vlan` matches tags that stand in the packet, not those that the card took out.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from netcrier.errors import ConfigError
from netcrier.runtime.socket_filter import INSTRUCTION, RETURN

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
LONGEST = 4096
"""Instructions that the kernel takes."""

WHOLE = 262_144
"""Bytes: a snap length that cuts no packet."""

DLT_OF = {101: 12}
"""libpcap's own numbers, where they are not those of files."""

_ABSENT = "a capture filter needs libpcap: apt install libpcap0.8 (or your distribution's libpcap)"


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _Header(ctypes.Structure):
    """pcap_pkthdr."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint),
        ("length", ctypes.c_uint),
    )


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled filter."""

    code: bytes
    """Instructions as the kernel takes them, eight bytes each."""

    def matches(self, packet: bytes, wire: int) -> bool:
        """Whether it lets a packet pass that had `wire` bytes; run by libpcap."""
        code = ctypes.cast(ctypes.c_char_p(self.code), ctypes.c_void_p)
        program = _Program(len(self.code) // INSTRUCTION.size, code)
        header = _Header(0, 0, len(packet), wire)
        return bool(_library().pcap_offline_filter(ctypes.byref(program), ctypes.byref(header), packet))


def everything(snap: int) -> Program:
    """Takes every packet, cut to `snap` bytes."""
    return Program(INSTRUCTION.pack(RETURN, 0, 0, snap))


def compile_filter(expression: str, link: int, snap: int = WHOLE) -> Program:
    """For a link type (DLT_ number). Raises ConfigError with libpcap's own words."""
    library = _library()
    handle = library.pcap_open_dead(link, snap)
    try:
        program = _Program()
        if library.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, 0xFFFFFFFF) != 0:
            raise ConfigError(f"filter {expression!r}: {library.pcap_geterr(handle).decode(errors='replace')}")
        try:
            if program.count > LONGEST:
                raise ConfigError(f"filter {expression!r}: {program.count} instructions; the kernel takes {LONGEST}")
            return Program(ctypes.string_at(program.instructions, program.count * INSTRUCTION.size))
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)


def program_for(expression: str) -> Callable[[int], bytes]:
    """What compiles an expression for the link types of capture files (LINKTYPE_ numbers). Raises as compile_filter."""

    def compiled(link: int) -> bytes:
        return compile_filter(expression, DLT_OF.get(link, link)).code

    return compiled


@cache
def _library() -> ctypes.CDLL:
    for name in NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        library.pcap_open_dead.restype = pointer
        library.pcap_open_dead.argtypes = (number, number)
        library.pcap_compile.argtypes = (pointer, pointer, text, number, ctypes.c_uint)
        library.pcap_geterr.restype = text
        library.pcap_geterr.argtypes = (pointer,)
        library.pcap_freecode.argtypes = (pointer,)
        library.pcap_close.argtypes = (pointer,)
        library.pcap_offline_filter.argtypes = (pointer, pointer, text)
        return library
    raise ConfigError(_ABSENT)
