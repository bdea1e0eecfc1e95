"""The service log's formats and its bound."""

from __future__ import annotations

import json
import logging

from netcrier.runtime.service_log import BURST, PERIOD, Bounded, JsonFormat, TextFormat, keys


def _record(line: int = 1, level: int = logging.WARNING) -> logging.LogRecord:
    record = logging.LogRecord("netcrier.x", level, "x.py", line, "store is %s", ("full",), None)
    record.__dict__.update(keys(uid=7))
    return record


def test_elsewhere_a_line_is_json_with_fixed_keys() -> None:
    fields = json.loads(JsonFormat("noded").format(_record()))
    assert fields.pop("ts").endswith("Z")
    assert fields == {"level": "warning", "daemon": "noded", "event": "store is full", "uid": 7}


def test_a_traceback_stays_on_its_json_line() -> None:
    record = _record()
    try:
        raise ValueError("x")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    line = JsonFormat("noded").format(record)
    assert "\n" not in line
    assert "ValueError: x" in json.loads(line)["traceback"]


def test_on_a_terminal_a_line_is_text_and_words_come_before_colour() -> None:
    assert TextFormat(color=False).format(_record()).endswith(" warning  store is full  uid=7")
    assert TextFormat(color=True).format(_record()).startswith("\033[33m")


def test_one_place_cannot_fill_the_log_and_others_are_not_held_back() -> None:
    now = 0.0
    bounded = Bounded(lambda: now)
    passed = [bounded.filter(_record()) for _ in range(BURST + 5)]
    assert passed == [True] * BURST + [False] * 5
    assert bounded.filter(_record(line=2))
    now = PERIOD
    record = _record()
    assert bounded.filter(record)
    assert vars(record)["keys"] == {"uid": 7, "left_out": 5}
