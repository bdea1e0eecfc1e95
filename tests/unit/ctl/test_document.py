from __future__ import annotations

import json

import msgspec
from netcrier.control.types.broadcast import SentRow
from netcrier_ctl.document import encoded, plain

ROW = SentRow(id="1", sent=1.5, size=2, body=b"hi", expected=1, received=0)


def test_the_schema_and_its_version_come_first() -> None:
    assert encoded("status", {"daemons": []}) == b'{"schema":"netctl.status/1","daemons":[]}'


def test_a_body_in_utf8_is_text() -> None:
    assert plain(ROW) == {"id": "1", "sent": 1.5, "size": 2, "text": "hi", "expected": 1, "received": 0}


def test_another_body_is_base64() -> None:
    shown = plain({"rows": [msgspec.structs.replace(ROW, body=b"\xff\x00")]})
    assert shown["rows"][0]["body_b64"] == "/wA="
    assert "text" not in shown["rows"][0]


def test_a_record_of_a_log_is_passed_on_as_it_is() -> None:
    line = b'{"ts":1.000000,"id.orig_h":"10.0.0.1"}'
    assert encoded("log", {"record": msgspec.Raw(line)}) == b'{"schema":"netctl.log/1","record":' + line + b"}"


def test_unset_values_are_null() -> None:
    assert json.loads(encoded("x", {"value": None})) == {"schema": "netctl.x/1", "value": None}
