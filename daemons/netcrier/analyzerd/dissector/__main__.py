# SPDX-License-Identifier: GPL-2.0-only
"""The dissector: packets on standard input, their layers as JSON lines on standard output.

A program of its own around scapy, and licensed as scapy is; it imports scapy and the standard library only.
In: frames, each a link type (LINKTYPE_ number) and a length as two 32-bit big-endian numbers, then so many bytes. Out:
{"ready": VERSION} once, then a line for each frame: {"summary", "layers": [{"name", "fields"}], "cut"} or {"failure"}.
A field has "name", "text" for people, "value" (number, text, truth, hexadecimal bytes, or null) and "items", the layers
that it holds. It ends with its input.

What it is fed is hostile. Before the first frame it gives up its user and capabilities, and after everything is
imported the right to open a file or socket, to write one, and to start a process. Memory and CPU time are bounded;
whoever runs it bounds the time of one frame.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

FRAME = struct.Struct("!II")
FRAME_MOST = 256 * 1024
"""Bytes of a frame; the largest snap length of tcpdump."""

LINE_MOST = 1024 * 1024
"""Bytes of an answer; a longer one becomes a failure."""

LAYERS_MOST = 64
"""Layers of a packet, and of a field that holds some; deeper ones are left out and `cut` is set."""

FIELDS_MOST = 2000
"""Fields of a whole answer."""

DEPTH_MOST = 8
"""Fields that hold layers that hold fields."""

TEXT_MOST = 512
"""Characters of a text, and bytes of a value in hexadecimal; the rest is left out and `cut` is set."""

MEMORY_MOST = 512 * 1024 * 1024
"""Bytes of address space: scapy takes a quarter of it."""

CPU_MOST = 300
"""Seconds in a life; whoever runs it starts another."""

NOBODY = 65534
NOWHERE = "/dev/null/none"
"""Where no file can be made, whoever asks."""

EXTRA_LAYERS = ("bgp", "cdp", "coap", "geneve", "gtp", "lldp", "modbus", "mpls", "mqtt", "ospf")
"""What scapy does not load by itself and networks carry."""

ENCODINGS = ("ascii", "cp437", "idna", "latin-1", "punycode", "utf-16", "utf-16-be", "utf-16-le")
"""Looked up before files are out of reach."""

PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_SET_NO_NEW_PRIVS = 47, 4, 38
CAPABILITY_VERSION_3 = 0x20080522


class Budget:
    """What one answer may still hold."""

    def __init__(self) -> None:
        self.fields = FIELDS_MOST
        self.cut = False

    def spend(self) -> bool:
        """Take one field; False where none is left."""
        if self.fields == 0:
            self.cut = True
            return False
        self.fields -= 1
        return True

    def text(self, text: str) -> str:
        """At most TEXT_MOST characters."""
        if len(text) <= TEXT_MOST:
            return text
        self.cut = True
        return text[:TEXT_MOST] + "…"


def layers_of(packet: Any, budget: Budget, depth: int = 0) -> list[dict[str, Any]]:
    """The layers from the outermost on."""
    found: list[dict[str, Any]] = []
    layer = packet
    while layer is not None and hasattr(layer, "fields_desc") and type(layer).__name__ != "NoPayload":
        if len(found) == LAYERS_MOST:
            budget.cut = True
            break
        found.append({"name": str(layer.name), "fields": fields_of(layer, budget, depth)})
        layer = layer.payload
    return found


def fields_of(layer: Any, budget: Budget, depth: int) -> list[dict[str, Any]]:
    """The fields of one layer in its order; those that are not there on the wire are left out."""
    found = []
    for known in layer.fields_desc:
        value = layer.getfieldval(known.name)
        if value is None or not present(layer, known):
            continue
        if not budget.spend():
            break
        items = items_of(value, budget, depth)
        text = "" if items else budget.text(text_of(layer, known, value))
        found.append({"name": str(known.name), "text": text, "value": value_of(value, budget), "items": items})
    return found


def present(layer: Any, known: Any) -> bool:
    """Whether a conditional field is there."""
    condition = getattr(known, "_evalcond", None)
    return condition is None or bool(condition(layer))


def text_of(layer: Any, known: Any, value: Any) -> str:
    """scapy's own words for the value; of bytes what can be read, the rest as `\\x00`."""
    if isinstance(value, bytes):
        return repr(value[: TEXT_MOST + 1])[2:-1]
    return str(known.i2repr(layer, value))


def items_of(value: Any, budget: Budget, depth: int) -> list[dict[str, Any]]:
    """The layers that a field holds."""
    held = [one for one in (value if isinstance(value, list) else [value]) if hasattr(one, "fields_desc")]
    if not held:
        return []
    if depth == DEPTH_MOST or len(held) > LAYERS_MOST:
        budget.cut = True
    if depth == DEPTH_MOST:
        return []
    return [one for item in held[:LAYERS_MOST] for one in layers_of(item, budget, depth + 1)]


def value_of(value: Any, budget: Budget) -> Any:
    """The value as JSON has it; None where it has no plain one."""
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**64):
        return value if type(value) in (bool, int) else int(value)
    if isinstance(value, bytes):
        if len(value) > TEXT_MOST:
            budget.cut = True
        return value[:TEXT_MOST].hex()
    if isinstance(value, str):
        return budget.text(value)
    number = getattr(value, "value", None)  # scapy's FlagValue, EnumElement
    return number if type(number) is int and 0 <= number < 2**64 else None


def answer(scapy_config: Any, link: int, data: bytes) -> dict[str, Any]:
    """One frame's answer."""
    kind = scapy_config.l2types.num2layer.get(link)
    if kind is None:
        return {"failure": f"no dissector for link type {link}"}
    budget = Budget()
    try:
        packet = kind(data)
        layers = layers_of(packet, budget)
        summary = budget.text(packet.summary())
    except Exception as error:  # noqa: BLE001 - scapy raises anything on hostile bytes
        return {"failure": f"scapy gave up: {type(error).__name__}: {str(error)[:200]}"}
    return {"summary": summary, "layers": layers, "cut": budget.cut}


def drop_privileges() -> None:
    """Another user where that is allowed, and no capability in any case."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        with suppress(OSError):  # a user namespace without that user
            os.setgroups([])
        with suppress(OSError):
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def load() -> Any:
    """scapy's configuration, with every layer loaded and nothing that reaches outside."""
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ[name] = NOWHERE
    for encoding in ENCODINGS:
        "a".encode(encoding)
    import logging

    logging.disable(logging.CRITICAL)
    config = import_module("scapy.config").conf
    config.use_pcap = False
    config.sniff_promisc = False
    config.ipv6_enabled = True
    import_module("scapy.layers.all")
    for name in EXTRA_LAYERS:
        import_module(f"scapy.contrib.{name}")
    config.color_theme = import_module("scapy.themes").NoTheme()
    config.debug_dissector = False
    return config


def confine() -> None:
    """From here on: no new descriptor, no file written, no process."""
    for kind, most in (
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))


def exactly(source: BinaryIO, size: int) -> bytes | None:
    """So many bytes, None where the input ends before them."""
    data = source.read(size)
    return data if len(data) == size else None


def serve(config: Any, source: BinaryIO, sink: BinaryIO) -> int:
    """The exit status: 0 at the end of the input, 1 where it is no frame."""
    while (head := exactly(source, FRAME.size)) is not None:
        link, size = FRAME.unpack(head)
        if size > FRAME_MOST:
            return 1
        data = exactly(source, size)
        if data is None:
            return 1
        say(sink, answer(config, link, data))
    return 0


def say(sink: BinaryIO, value: dict[str, Any]) -> None:
    """One line."""
    line = json.dumps(value, separators=(",", ":")).encode()
    if len(line) > LINE_MOST:
        line = json.dumps({"failure": f"its layers take {len(line)} bytes, more than {LINE_MOST}"}).encode()
    sink.write(line + b"\n")
    sink.flush()


def main() -> int:
    """The exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for whoever runs this
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MOST, MEMORY_MOST))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_MOST, CPU_MOST))
    config = load()
    drop_privileges()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    confine()
    sink = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever scapy prints is no answer, and nobody reads it
    say(sink, {"ready": import_module("scapy").__version__})
    return serve(config, sys.stdin.buffer, sink)


if __name__ == "__main__":
    sys.exit(main())
