"""Packets looked at closely: the real dissector behind netctl, and what becomes of one that hangs, dies or lies."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from netcrier.analyzerd import dissection
from netcrier.analyzerd.dissection import FRAME_MOST, STARTS_MOST, Dissector
from netcrier.errors import ConfigError

from tests.unit.analyzerd import frames

SYN = frames.tcp(frames.CLIENT, 4000, frames.SERVER, 80, frames.SYN, 5)
READY = 'import os, sys, time; print(\'{"ready": "0"}\', flush=True)\n'


def netctl(*words: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    program = [sys.executable, "-m", "netcrier_ctl.cli", *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, env=environ)
    return done.returncode, done.stdout, done.stderr


def scripted(body: str, wait: float = 10.0) -> Dissector:
    """A dissector that is a script; it has read nothing when `body` begins."""
    return Dissector([sys.executable, "-c", READY + body], wait)


def crafted(expression: str) -> bytes:
    """A packet that scapy makes, in a process of its own."""
    program = f"from scapy.all import *; import sys; sys.stdout.buffer.write(bytes({expression}))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four packets; the third has no more than its first bytes in the file, the fourth an unknown link's."""
    dns = crafted(
        "Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/IP(src='192.0.2.1', dst='192.0.2.2')/UDP(sport=53)"
        "/DNS(qr=1, qd=DNSQR(qname='example.com'), an=DNSRR(rrname='example.com', rdata='192.0.2.9', ttl=60))"
    )
    path = tmp_path_factory.mktemp("captures") / "some.pcapng"
    data = frames.section() + frames.interface() + frames.interface(link=9999)
    data += frames.enhanced(1_700_000_000_000_000, SYN) + frames.enhanced(1_700_000_000_250_000, dns)
    data += frames.enhanced(1_700_000_001_000_000, SYN[:30]) + frames.enhanced(1_700_000_002_000_000, SYN, number=1)
    path.write_bytes(data)
    return path


def test_one_packet_is_a_tree_of_layers(capture: Path) -> None:
    code, out, err = netctl("inspect", str(capture), "--packet", "2", environ=dict(os.environ, TZ="UTC"))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"packet 2  2023-11-14 22:13:20.250000  \d+ bytes", lines[0])
    assert [line for line in lines if re.match(r"  \S", line)] == ["  Ethernet", "  IP", "  UDP", "  DNS"]
    assert "    sport   53 (domain)" in lines
    assert "        rrname      example.com." in lines
    assert "        rdata       192.0.2.9" in lines


def test_several_packets_are_a_line_each(capture: Path) -> None:
    code, out, _ = netctl("inspect", str(capture), "--count", "3")
    assert code == 0
    title, first, second, third = out.splitlines()
    assert title == "PACKET   SECONDS  BYTES  LAYERS"
    assert first == "     1  0.000000     54  Ether / IP / TCP 10.0.0.1:4000 > 10.0.0.2:http S"
    assert re.fullmatch(r"     2  0.250000 +\d+  Ether / IP / UDP / DNS Ans 192.0.2.9", second)
    assert third.startswith("     3  1.000000     30  ")


def test_json_has_names_texts_and_values(capture: Path) -> None:
    code, out, _ = netctl("inspect", str(capture), "--packet", "1", "--json")
    shown: dict[str, Any] = json.loads(out)
    assert (code, shown["schema"], shown["file"], len(shown["packets"])) == (0, "netctl.inspect/1", str(capture), 1)
    packet = shown["packets"][0]
    assert (packet["number"], packet["time"], packet["length"], packet["captured"]) == (1, 1_700_000_000.0, 54, 54)
    tcp = {field["name"]: (field["text"], field["value"]) for field in packet["layers"][2]["fields"]}
    assert (tcp["dport"], tcp["seq"], tcp["flags"]) == (("http", 80), ("5", 5), ("S", 2))


def test_a_link_type_that_scapy_lacks_fails_alone(capture: Path) -> None:
    code, out, err = netctl("inspect", str(capture))
    assert code == 1
    assert out.splitlines()[-1].endswith("no dissector for link type 9999")
    assert "not dissected: packet 4" in err


def test_what_is_not_there_or_no_capture_is_said(capture: Path, tmp_path: Path) -> None:
    code, out, err = netctl("inspect", str(capture), "--packet", "5")
    assert (code, out, err.splitlines()[0]) == (6, "", f"netctl: {capture} has 4 packets.")
    code, _, err = netctl("inspect", str(tmp_path / "none"))
    assert (code, err) == (1, f"netctl: {tmp_path}/none: No such file or directory.\n")
    text = tmp_path / "text"
    text.write_text("no capture")
    code, _, err = netctl("inspect", str(text))
    assert (code, err.splitlines()[0]) == (1, f"netctl: {text}: not a capture file (neither pcap nor pcapng).")
    cut = tmp_path / "cut"
    cut.write_bytes(capture.read_bytes()[:-9])
    code, out, err = netctl("inspect", str(cut))
    assert (code, len(out.splitlines())) == (1, 4)
    assert f"{cut}: the capture ends after packet 3 (" in err


def test_the_dissector_has_no_rights_and_bounds() -> None:
    with Dissector() as dissector:
        assert dissector.dissect(1, SYN).failure is None
        process = dissector._process
        assert process is not None
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        opened = sorted(path.name for path in Path(f"/proc/{process.pid}/fd").iterdir())
    assert {status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Amb")} == {""}
    assert status["NoNewPrivs"] == "1"
    if os.geteuid() == 0:
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Gid"].split() == ["65534"] * 4
        assert status["Groups"].strip() == ""
    assert opened == ["0", "1", "2"]
    assert "Max open files            3                    3" in limits
    assert "Max file size             0                    0" in limits
    assert "Max address space         536870912            536870912" in limits
    assert "Max cpu time              300                  300" in limits


def test_a_dissector_writes_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Dissector() as dissector:
        assert dissector.dissect(1, SYN).failure is None
    assert list(tmp_path.iterdir()) == []


def test_any_bytes_have_an_answer() -> None:
    with Dissector() as dissector:
        deep = bytes.fromhex("4500ffff0000400040040000") + bytes(8)
        odd = [b"", b"\0", random.Random(7).randbytes(1500), deep * 3000, SYN + bytes(200_000)]
        odd += [crafted("IP()/TCP(options=[(99, b'x')])"), crafted("fuzz(Ether()/IPv6()/ICMPv6ND_NA())")]
        for link in (1, 101, 113, 127, 276):
            for frame in odd:
                found = dissector.dissect(link, frame)
                assert (found.failure is None) == bool(found.layers) or frame == b"", (link, frame[:40], found.failure)
        assert dissector.dissect(1, SYN).layers[-1].name == "TCP"
        assert dissector.dissect(1, bytes(FRAME_MOST + 1)).failure == f"{FRAME_MOST + 1} bytes, more than {FRAME_MOST}"


def test_one_that_hangs_is_killed_and_another_is_started() -> None:
    with scripted("time.sleep(60)", wait=0.2) as dissector:
        began = time.monotonic()
        assert dissector.dissect(1, SYN).failure == "the dissector took more than 0.2 s"
        assert time.monotonic() - began < 30
        assert dissector.dissect(1, SYN).failure == "the dissector took more than 0.2 s"
        assert dissector.starts == 2


def test_one_that_does_not_read_is_killed() -> None:
    with scripted("time.sleep(60)", wait=0.2) as dissector:
        assert dissector.dissect(1, bytes(FRAME_MOST)).failure == "the dissector took more than 0.2 s"


@pytest.mark.parametrize(
    ("body", "fate"),
    [("os.kill(os.getpid(), 11)", "signal 11"), ("sys.stdin.buffer.read(8); sys.exit(3)", "exit status 3")],
)
def test_one_that_dies_is_told_of_and_started_again(body: str, fate: str) -> None:
    with scripted(body) as dissector:
        assert dissector.dissect(1, SYN).failure == f"the dissector died ({fate})"
        assert dissector.dissect(1, SYN).failure == f"the dissector died ({fate})"
        assert dissector.starts == 2


@pytest.mark.parametrize("body", ["print('[')", "print('{\"layers\": 3}')", "sys.stdout.write('x' * 2_000_000)"])
def test_an_answer_that_is_none_is_refused(body: str) -> None:
    with scripted(f"{body}; sys.stdout.flush(); time.sleep(60)") as dissector:
        assert dissector.dissect(1, SYN).failure == "the dissector's answer is none"


def test_one_that_does_not_start_says_why() -> None:
    dissector = Dissector([sys.executable, "-c", "raise SystemExit('no scapy here')"])
    with pytest.raises(ConfigError, match="the dissector does not start: no scapy here"):
        dissector.dissect(1, SYN)


def test_a_capture_of_nothing_but_deadly_frames_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dissection, "STARTS_MOST", 2)
    with scripted("os.kill(os.getpid(), 11)") as dissector:
        assert [dissector.dissect(1, SYN).failure for _ in range(2)] == ["the dissector died (signal 11)"] * 2
        with pytest.raises(ConfigError, match="was started 2 times"):
            dissector.dissect(1, SYN)
    assert STARTS_MOST == 100
