"""What analyzerd captures, live in namespaces: interfaces that go and come, filters, workers, the balance."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from netcrier.analyzerd.capture.frames import frames
from netcrier.control.methods import CAPTURE, RELOAD
from netcrier.control.types.analyzer import AnalyzerStatus, CaptureRequest, Packets, Stats
from netcrier_ctl.lab import Lab

from tests.site import Daemon, eventually

SEND = """
import socket, sys
name, frames, ports, vlan = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((name, 0))
for number in range(frames):
    port = 21000 + number % ports
    udp = port.to_bytes(2, "big") + (7000).to_bytes(2, "big") + (22).to_bytes(2, "big") + bytes(2) + b"0123456789abcd"
    ip = bytes.fromhex("45000000") + bytes(4) + bytes.fromhex("40110000") + bytes([10, 5, 0, 1, 10, 5, 0, 2])
    ip = ip[:2] + (20 + len(udp)).to_bytes(2, "big") + ip[4:]
    total = sum(int.from_bytes(ip[at : at + 2], "big") for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + (0xFFFF - total).to_bytes(2, "big") + ip[12:]
    tag = b"\\x81\\0" + vlan.to_bytes(2, "big") if vlan else b""
    out.send(b"\\2\\0\\0\\0\\0\\2\\2\\0\\0\\0\\0\\1" + tag + b"\\x08\\0" + ip + udp)
"""
"""UDP datagrams from 10.5.0.1 to 10.5.0.2:7000, from so many ports in turn."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(["probe"]) as lab:
        lab.run("probe", ["ip", "link", "set", "eth0", "down"])
        yield lab


def ip(lab: Lab, *lines: str) -> None:
    for line in lines:
        lab.run("probe", ["ip", *line.split()])


def send(lab: Lab, name: str, frames: int, ports: int = 1, vlan: int = 0) -> None:
    lab.run("probe", [sys.executable, "-c", SEND, name, str(frames), str(ports), str(vlan)])


def veth(lab: Lab, inside: str = "in0", outside: str = "out0") -> None:
    """What is sent at `outside` comes in at `inside`."""
    ip(lab, f"link add {inside} type veth peer name {outside}")
    for name in (inside, outside):
        lab.run("probe", ["sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6"])
    ip(lab, f"link set {inside} up", f"link set {outside} up")


def analyzer(lab: Lab, place: Path, **environ: str) -> Daemon:
    return Daemon(lab, "probe", "analyzerd", place, {"NETCRIER_CAPTURE_TIMEOUT_MS": "10", **environ})


def status(daemon: Daemon) -> AnalyzerStatus:
    found = daemon.call("status")
    assert isinstance(found, AnalyzerStatus)
    return found


def analysed(daemon: Daemon, packets: int) -> bool:
    return status(daemon).analysed == packets


def seen_by(daemon: Daemon, name: str) -> int:
    return sum(one.analysed for one in status(daemon).interfaces if one.name == name)


def total(daemon: Daemon) -> Packets:
    found = daemon.call("stats")
    assert isinstance(found, Stats)
    assert found.rows[-1].interface == "*"
    return found.rows[-1].total


def dropped(one: Packets) -> int:
    return one.dropped_kernel + one.dropped_ring + one.dropped_budget + one.dropped_disk


def frames_of(daemon: Daemon, name: str) -> int:
    """Packets that were analysed of one interface."""
    return sum(one.analysed for one in status(daemon).interfaces if one.name == name)


def has_frames(daemon: Daemon, name: str, count: int) -> bool:
    return frames_of(daemon, name) == count


def up(lab: Lab, name: str) -> bool:
    return "state UP" in lab.run("probe", ["ip", "link", "show", name]).stdout


def rows(daemon: Daemon) -> list[dict[str, Any]]:
    """All conn lines, those of rotated files too."""
    folder = daemon.place / "log" / "analyzerd"
    files = [*sorted(folder.glob("conn.log-*")), folder / "conn.log"]
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_an_interface_that_goes_and_comes_back_is_captured_again(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0")
    send(lab, "out0", 10)
    eventually(lambda: status(daemon).analysed == 10, "the first packets are analysed")
    ip(lab, "link del in0")
    eventually(lambda: not status(daemon).interfaces[0].present, "status says that it is gone")
    assert "in0 is not there" in " ".join(status(daemon).warnings)
    veth(lab)
    eventually(lambda: status(daemon).interfaces[0].present, "status says that it is back")
    send(lab, "out0", 10)
    eventually(lambda: status(daemon).analysed == 20, "the packets after its return are analysed")
    assert daemon.stop() == 0
    (row,) = rows(daemon)
    assert (row["orig_pkts"], row["interface"]) == (20, "in0")


def test_an_interface_that_goes_down_and_up_again_and_again_keeps_its_ring(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_SPARE_SOCKETS="0")
    for sent in (10, 20, 30):
        send(lab, "out0", 10)
        eventually(partial(has_frames, daemon, "in0", sent), "its packets are analysed")
        ip(lab, "link set in0 down")
        eventually(lambda: not up(lab, "in0"), "it is down")
        ip(lab, "link set in0 up")
        eventually(lambda: up(lab, "in0"), "it is up")
    assert not status(daemon).warnings
    assert daemon.stop() == 0


def test_what_an_interface_had_stays_in_the_totals_when_it_is_not_captured_any_more(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    veth(lab, "in1", "out1")
    file = tmp_path / "config" / "analyzerd.toml"
    file.parent.mkdir()
    file.write_text('[capture]\ninterfaces = ["in0", "in1"]\n')
    daemon = analyzer(lab, tmp_path)
    send(lab, "out0", 10)
    eventually(lambda: status(daemon).analysed == 10, "its packets are analysed")
    file.write_text('[capture]\ninterfaces = ["in1"]\n')
    daemon.call(RELOAD.name)
    send(lab, "out1", 5)
    eventually(lambda: status(daemon).analysed == 15, "those of the other one are added")
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in (tmp_path / "log" / "analyzerd" / "stats.log").read_text().splitlines()]
    totals = [line["total_received"] for line in lines if line["interface"] == "*"]
    assert totals == sorted(totals)
    assert totals[-1] == 15 == sum(line["received"] for line in lines if line["interface"] != "*")


def test_of_a_bridge_and_its_port_only_the_bridge_is_captured(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    ip(lab, "link add br9 type bridge mcast_snooping 0", "link set in0 master br9", "link set br9 up")
    lab.run("probe", ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/br9/disable_ipv6"])
    eventually(lambda: "forwarding" in lab.run("probe", ["bridge", "link"]).stdout, "the port forwards")
    daemon = analyzer(lab, tmp_path)
    seen = status(daemon)
    assert {one.name for one in seen.interfaces} == {"br9", "out0"}
    assert seen.left_out == ["in0"]
    daemon.stop()
    ip(lab, "link set out0 address 02:00:00:00:00:09")
    daemon = analyzer(lab, tmp_path / "again", NETCRIER_CAPTURE_PROMISCUOUS="true")
    send(lab, "out0", 25)
    eventually(lambda: seen_by(daemon, "br9") == 25, "the bridge shows them")
    daemon.stop()
    assert sorted((row["interface"], row["orig_pkts"]) for row in rows(daemon)) == [("br9", 25), ("out0", 25)]


def test_a_filter_lets_pass_what_matches_and_a_wrong_one_is_explained(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(
        lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0", NETCRIER_CAPTURE_FILTER="udp src port 21001 or udp port 9"
    )
    send(lab, "out0", 40, ports=4)
    eventually(lambda: status(daemon).analysed == 10, "what matches is analysed")
    assert status(daemon).received == 10
    daemon.stop()
    (row,) = rows(daemon)
    assert (row["id.orig_p"], row["orig_pkts"]) == (21001, 10)
    command = [sys.executable, "-m", "netcrier.analyzerd", "--interface", "in0", "--filter", "udp prot 9"]
    wrong = lab.spawn("probe", command, env=daemon.environ, stderr=subprocess.PIPE)
    assert wrong.runner.stderr is not None
    with wrong.runner.stderr as stream:
        said = stream.read().decode()
    assert wrong.wait() == 78
    assert "filter 'udp prot 9': " in said


def test_two_workers_write_what_one_writes(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    written = []
    for workers in (1, 2):
        daemon = analyzer(
            lab,
            tmp_path / str(workers),
            NETCRIER_CAPTURE_INTERFACES="in0",
            NETCRIER_CAPTURE_WORKERS=str(workers),
        )
        send(lab, "out0", 3000, ports=200)
        eventually(partial(analysed, daemon, 3000), "all is analysed")
        assert status(daemon).interfaces[0].workers == workers
        assert status(daemon).conversations == 200
        assert daemon.stop() == 0
        keep = ("id.orig_p", "id.resp_p", "orig_pkts", "orig_bytes", "conn_state", "interface")
        written.append(sorted(tuple(row.get(name) for name in keep) for row in rows(daemon)))
    assert len(written[0]) == 200
    assert written[0] == written[1]


def test_a_hardware_vlan_tag_is_in_the_record(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0")
    send(lab, "out0", 3, vlan=5)
    eventually(lambda: status(daemon).analysed == 3, "they are analysed")
    daemon.stop()
    assert [row["vlan"] for row in rows(daemon)] == [5]


def test_no_thread_keeps_a_privilege_and_spare_sockets_take_interfaces_named_later(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    veth(lab, "in1", "out1")
    veth(lab, "in2", "out2")
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "analyzerd.toml"
    file.write_text('[capture]\ninterfaces = ["in0"]\nspare_sockets = 1\n')
    daemon = analyzer(lab, tmp_path)
    assert daemon.process is not None
    for thread in Path(f"/proc/{daemon.process.pid}/task").iterdir():
        text = (thread / "status").read_text()
        assert "CapEff:\t0000000000000000" in text
        assert "CapPrm:\t0000000000000000" in text
    file.write_text('[capture]\ninterfaces = ["in0", "in1"]\nspare_sockets = 1\n')
    done = daemon.call(RELOAD.name)
    assert (done.changed, done.needs_restart) == (["capture.interfaces"], [])
    send(lab, "out1", 7)
    eventually(lambda: status(daemon).analysed == 7, "the interface that was named later is captured")
    file.write_text('[capture]\ninterfaces = ["in1", "in2"]\nspare_sockets = 1\n')
    done = daemon.call(RELOAD.name)
    assert (done.changed, done.needs_restart) == ([], ["capture.interfaces"])
    assert [one.name for one in status(daemon).interfaces] == ["in1"]
    assert "in2 is not captured: it needs a restart" in " ".join(status(daemon).warnings)


def test_the_balance_holds_under_overload(lab: Lab, tmp_path: Path) -> None:
    """The analyzer is stopped while more comes than its small ring holds."""
    veth(lab)
    daemon = analyzer(
        lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0", NETCRIER_CAPTURE_BLOCKS="2", NETCRIER_CAPTURE_BLOCK_KIB="64"
    )
    assert daemon.process is not None
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        send(lab, "out0", 20_000, ports=50)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
        os.kill(daemon.process.runner.pid, signal.SIGCONT)  # nsenter stops with what it runs
    eventually(lambda: total(daemon).received == 20_000, f"every packet is accounted for: {total(daemon)}")
    seen = total(daemon)
    assert seen.dropped_ring > 10_000
    assert seen.analysed > 100
    assert seen.received == seen.analysed + seen.filtered + dropped(seen) + seen.undecodable
    assert "raise capture.blocks" in " ".join(status(daemon).warnings)
    assert daemon.stop() == 0
    lines = daemon.lines("stats")
    whole = next(line for line in reversed(lines) if line["interface"] == "*")
    assert whole["total_received"] == 20_000
    assert whole["total_dropped_ring"] == seen.dropped_ring
    assert sum(row["orig_pkts"] + row["resp_pkts"] for row in rows(daemon)) == seen.analysed


def test_a_full_disk_delays_lines_and_what_it_loses_is_in_the_balance(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    logs = tmp_path / "small"
    daemon = Daemon(
        lab, "probe", "analyzerd", tmp_path,
        {"NETCRIER_CAPTURE_TIMEOUT_MS": "10", "NETCRIER_CAPTURE_INTERFACES": "in0", "NETCRIER_LOG_DIR": str(logs),
         "NETCRIER_TABLE_CONVERSATIONS": "1000"}, logs,
    )  # fmt: skip
    send(lab, "out0", 4000, ports=4000)  # 3000 records before their time: more than half a MiB
    eventually(lambda: "disk is full" in " ".join(status(daemon).warnings), "status says that the disk is full")
    row = daemon.call("stats").rows[-1]
    assert row.log_queue > 0
    path = daemon.inside(logs / "analyzerd" / "conn.log")
    assert path.read_bytes().endswith(b"}\n")
    assert daemon.process is not None
    process = daemon.process
    with path.open("rb") as kept:
        assert daemon.stop() == 0
        time.sleep(0)
        lines = kept.read().splitlines()
    assert all(json.loads(line)["orig_pkts"] == 1 for line in lines)
    assert 500 < len(lines) < 4000
    assert "lines of the logs are lost" in daemon.stderr
    assert process.poll() == 0


def test_after_kill_9_every_line_is_whole_and_the_next_start_goes_on(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    environ = {"NETCRIER_CAPTURE_INTERFACES": "in0", "NETCRIER_TABLE_CONVERSATIONS": "1000"}
    daemon = analyzer(lab, tmp_path, **environ)
    send(lab, "out0", 8000, ports=8000)
    path = tmp_path / "log" / "analyzerd" / "conn.log"
    eventually(lambda: path.stat().st_size > 100_000, "lines are written")
    daemon.kill()
    with path.open("ab") as torn:
        torn.write(b'{"ts":17')  # as a power cut may leave it
    daemon.start()
    send(lab, "out0", 1)
    eventually(lambda: status(daemon).analysed == 1, "it captures")
    assert daemon.stop() == 0
    assert len(rows(daemon)) > 100


def test_rotation_under_load_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(
        lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0", NETCRIER_TABLE_CONVERSATIONS="1000",
        NETCRIER_LOG_ROTATE_MIB="1", NETCRIER_LOG_COMPRESSION="none",
    )  # fmt: skip
    for _ in range(3):
        send(lab, "out0", 12_000, ports=12_000)
    eventually(lambda: total(daemon).received == 36_000, "all has come")
    seen = total(daemon)
    assert daemon.stop() == 0
    folder = tmp_path / "log" / "analyzerd"
    assert len(list(folder.glob("conn.log-*"))) >= 3
    assert sum(row["orig_pkts"] + row["resp_pkts"] for row in rows(daemon)) == seen.analysed
    assert len({row["uid"] for row in rows(daemon)}) == len(rows(daemon))


def netctl(lab: Lab, daemon: Daemon, *words: str) -> None:
    command = [sys.executable, "-m", "netcrier_ctl.cli", *words]
    lab.run("probe", command, env={"NETCRIER_RUNTIME_DIR": daemon.environ["NETCRIER_RUNTIME_DIR"]})


def test_capture_of_the_last_seconds_gives_what_was_on_the_wire(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0")
    send(lab, "out0", 40, ports=4)
    send(lab, "out0", 3, vlan=9)
    eventually(lambda: status(daemon).analysed == 43, "they are analysed")
    file = tmp_path / "last.pcapng"
    netctl(lab, daemon, "capture", "--last", "60s", "-w", str(file))
    seen = list(frames(memoryview(file.read_bytes())))
    assert len(seen) == 43
    assert all(0 <= time.time() - frame.time / 1e9 < 60 for frame in seen)
    assert [bytes(frame.data[12:16]) for frame in seen[40:]] == [b"\x81\x00\x00\x09"] * 3
    netctl(lab, daemon, "capture", "--last", "60s", "-n", "7", "-w", str(file), "udp src port 21001")
    assert len(list(frames(memoryview(file.read_bytes())))) == 7
    words = [sys.executable, "-m", "netcrier_ctl.cli", "capture", "--last", "60s"]
    piped = lab.spawn("probe", words, env=daemon.environ, stdout=subprocess.PIPE)
    assert piped.runner.stdout is not None
    with piped.runner.stdout as stream:
        assert len(list(frames(memoryview(stream.read())))) == 43
    assert piped.wait() == 0


def test_capture_of_an_interface_that_is_not_captured_is_refused(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0")
    words = ["capture", "--interface", "in9", "--for", "1s", "-w", str(tmp_path / "none.pcapng")]
    ran = lab.run("probe", [sys.executable, "-m", "netcrier_ctl.cli", *words], env=daemon.environ)
    assert ran.returncode != 0
    assert "in9 is not captured; in0 is" in ran.stderr


def test_capture_follows_what_comes_and_ends_at_its_limit(lab: Lab, tmp_path: Path) -> None:
    veth(lab)
    daemon = analyzer(lab, tmp_path, NETCRIER_CAPTURE_INTERFACES="in0", NETCRIER_CAPTURE_RECENT_MIB="0")
    with daemon.client() as client:
        parts = client.stream(CAPTURE, CaptureRequest(packets=5))
        assert next(parts).packets == 0
        send(lab, "out0", 20)
        assert sum(part.packets for part in parts) == 5
