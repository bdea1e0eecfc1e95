"""Any number that a caller can name has an answer: a result, or what is wrong with it. None is a fault of a daemon."""

from __future__ import annotations

import time
import types
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from netcrier.control.failures import Deadline, Refused, VersionMismatch
from netcrier.control.methods import ANALYZERD, MASTERD, NODED, AnyMethod, Stream
from netcrier.control.types.shared import ErrorCode
from netcrier_ctl.lab import Lab

from tests.site import Daemon, Site

WHOLE = [-(1 << 63), -1, 0, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
BROKEN = [float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 5e-324, 1e19, 1.7e308]
NAMES = [
    "",
    "-1",
    "0",
    "u0",
    "1",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
    "4294967296/1",
]
VALUES: dict[type, list[Any]] = {int: WHOLE, float: [*BROKEN, *map(float, WHOLE)], str: NAMES}
ANY: dict[type, Any] = {str: "no such thing", bytes: b"body", int: 1, float: 1.0, bool: False}
FRESH = count()


def kind_of(hint: Any) -> type:
    """The type that a field has, unless it is None."""
    kinds: tuple[type, ...] = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next(kind for kind in kinds if kind in ANY)


def requests(method: AnyMethod) -> Iterator[Any]:
    """The method's parameters, each field with each absurd value once."""
    hints = get_type_hints(method.params)
    needed = {
        field.name: ANY[kind_of(hints[field.name])] for field in msgspec.structs.fields(method.params) if field.required
    }
    for name, hint in hints.items():
        for value in VALUES.get(kind_of(hint), []):
            fresh = {"request": f"request {next(FRESH)}"} if "request" in needed else {}
            yield method.params(**{**needed, **fresh, name: value})


def ask(daemon: Daemon, method: AnyMethod, params: Any) -> str:
    """The code of the refusal; empty where there is an answer."""
    try:
        with daemon.client() as client:
            if isinstance(method, Stream):
                list(client.stream(method, params, until=time.monotonic() + 0.2))
            else:
                client.call(method, params)
    except (Deadline, VersionMismatch):  # a stream that has nothing to say yet; `hello`
        return ""
    except Refused as refusal:
        return refusal.code
    return ""


def test_no_number_in_a_request_is_a_fault_of_the_daemon(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        master, node = here.start_master(), here.start_node("node1")
        analyzer = Daemon(lab, "node1", "analyzerd", tmp_path / "analyzer", {})
        here.wait_enrolled()
        here.broadcast(b"one")
        here.wait_received(1)
        asked = 0
        for daemon, table in ((master, MASTERD), (node, NODED), (analyzer, ANALYZERD)):
            for method in table.values():
                for params in requests(method):
                    asked += 1
                    assert ask(daemon, method, params) != ErrorCode.FAILED.value, f"{method.name} {params}"
            assert "Traceback" not in daemon.stderr
        assert asked > 150
