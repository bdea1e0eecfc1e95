"""netctl simulate: what it refuses before it builds anything."""

from __future__ import annotations

import pytest

from tests.scripted_host import Host


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nodes", "0"], "'0' is not a number from 1 to 250"),
        (["--nodes", "251"], "'251' is not a number from 1 to 250"),
        (["--loss", "99.5"], "'99.5' is not a percentage from 0 to 99"),
        (["--loss", "much"], "'much' is not a percentage from 0 to 99"),
        (["--size", "0"], "'0' is not a number from 1 to 1,048,576"),
        (["--size", "1048577"], "is not a number from 1 to 1,048,576"),
        (["--count", "-1"], "'-1' is not a number from 1 to 100,000"),
        (["--interval", "0"], "a duration is more than 0"),
        (["--timeout", "soon"], "'soon': a duration ends in"),
        (["--state-dir", "/nowhere/at/all"], "'/nowhere/at/all' is not a directory"),
        (["--nodes"], "expected one argument"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_usage_error_that_names_it(
    host: Host, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as end:
        host.netctl("simulate", *words)
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert said in printed.err
    assert printed.out == ""
