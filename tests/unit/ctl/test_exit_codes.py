from __future__ import annotations

import pytest
from netcrier.control.failures import (
    Broken,
    ControlError,
    Deadline,
    NotFound,
    NotPermitted,
    NotRunning,
    Refused,
    VersionMismatch,
    failure,
)
from netcrier.control.types.shared import ErrorCode
from netcrier_ctl.exit_codes import Exit, exit_of


def test_numbers_that_scripts_rely_on_stay() -> None:
    assert {code.name: code.value for code in Exit} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NOT_RUNNING": 3,
        "NOT_PERMITTED": 4,
        "PARTIAL": 5,
        "NOTHING_MATCHED": 6,
        "DEADLINE": 7,
        "VERSION": 8,
        "INTERRUPTED": 130,
        "PIPE_CLOSED": 141,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotRunning("x"), 3),
        (NotPermitted("x"), 4),
        (VersionMismatch("x"), 8),
        (Deadline("x"), 7),
        (NotFound("not-found", "x"), 6),
        (Broken("x"), 1),
        (Refused("usage", "x"), 2),
        (Refused("unknown-method", "x"), 8),
        (Refused("store", "x"), 1),
        (Refused("a code of a newer daemon", "x"), 1),
    ],
)
def test_each_failure_has_its_status(error: ControlError, code: int) -> None:
    assert exit_of(error) == code


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_reply_ends_with_a_failure(code: ErrorCode) -> None:
    assert exit_of(failure(code.value, "x", None)) not in (Exit.DONE, Exit.PARTIAL)
