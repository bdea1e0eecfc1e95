from __future__ import annotations

import sys
from pathlib import Path

import pytest
from netcrier.control.types.inspection import Field, Layer, Packet
from netcrier_ctl.commands.inspect import asked, tree
from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit

from tests.scripted_host import Host

QUESTION = Layer(name="Question", fields=[Field(name="qname", text="example.com."), Field(name="x", text="\x1b[2J")])


def packet(**fields: object) -> Packet:
    return Packet(number=1, time=0.0, length=60, captured=60, **fields)  # type: ignore[arg-type]


def test_layers_are_a_tree_with_names_beside_numbers() -> None:
    fields = [
        Field(name="dport", text="http", value=80), Field(name="seq", text="5", value=5),
        Field(name="chksum", text="0x10", value=16), Field(name="options", text="[]"), Field(name="flags", text=""),
        Field(name="qd", text="", items=[QUESTION]),
    ]  # fmt: skip
    assert list(tree(packet(layers=[Layer(name="TCP", fields=fields)], cut=True))) == [
        "  TCP",
        "    dport   80 (http)",
        "    seq     5",
        "    chksum  0x10",
        "    qd",
        "      Question",
        "        qname  example.com.",
        r"        x      \x1b[2J",
        "  (not all of it is shown)",
    ]


def test_a_packet_that_was_not_dissected_says_why() -> None:
    assert list(tree(packet(failure="the dissector took more than 5 s"))) == ["  the dissector took more than 5 s"]


def test_what_takes_too_long_is_a_deadline() -> None:
    with pytest.raises(Failure) as caught:
        asked([sys.executable, "-c", "import time; time.sleep(60)"], 0.05)
    assert (caught.value.code, caught.value.hint) == (Exit.DEADLINE, "--timeout allows more")


@pytest.mark.parametrize("said", ["", "print('{}')", "print('not json')", 'print(\'{"type":"packet"}\')'])
def test_an_answer_without_an_ending_is_a_failure_with_its_reason(said: str) -> None:
    with pytest.raises(Failure, match="ended with status 1: the reason") as caught:
        asked([sys.executable, "-c", f"import sys; {said or 'pass'}; sys.exit('first\\nthe reason')"], 10)
    assert caught.value.code is Exit.FAILED


@pytest.mark.parametrize("words", [["--packet", "0"], ["--packet", "-1"], ["--count", "0"], ["--count", "1001"]])
def test_numbers_begin_with_1_and_have_an_end(host: Host, tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        host.netctl("inspect", str(tmp_path), *words)
    assert caught.value.code == Exit.USAGE
