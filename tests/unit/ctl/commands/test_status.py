from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from netcrier.control.failures import Deadline, NotPermitted
from netcrier.control.types.analyzer import AnalyzerStatus, Captured
from netcrier.control.types.master import AwayNode, Carrier, LastMessage, MasterStatus, NodeCounts, SendRate
from netcrier.control.types.node import HandlerFailure, HandlersAtWork, LastReceived, NodeStatus

from tests.scripted_host import NOW, Host

MASTER = MasterStatus(
    version="0.1.0", pid=1, started=NOW - 273_600, group="lab-7", group_id="00", master="9f3a" + "0" * 26 + "c1",
    open=False, epoch=1, term=1, boot=1,
    nodes=NodeCounts(known=50, here=47, away=3, waiting=0, duplicate=0),
    last=LastMessage(id="1284", sent=NOW - 120, expected=50, received=50, complete_ms=6.1),
    away=[AwayNode("rack7-n3", NOW - 12), AwayNode("rack7-n4", NOW - 7200), AwayNode("press-2", NOW - 259_200)],
    carriers=[Carrier(kind="broadcast", interface="eth0", address="10.0.7.255:12345")],
    window_ms=2.0, rate=SendRate(mbit_s=100.0), counters={"repaired": 3, "replay": 0}, warnings=[],
)  # fmt: skip
NODE = NodeStatus(
    handlers=HandlersAtWork(running=0, waiting=0, failures=0),
    version="0.1.0", pid=2, started=NOW - 273_600, node="aa", name="n1", state="enrolled", group="lab-7",
    master=MASTER.master, trust="token", open=False, last=LastReceived("1284", NOW - 120), received=1284, behind=0,
    counters={}, warnings=[],
)  # fmt: skip
ANALYZER = AnalyzerStatus(
    version="0.1.0", pid=3, started=NOW - 273_600,
    interfaces=[Captured(name="eth0", received=9, analysed=9, filtered=0, dropped=0, undecodable=0, packets_per_s=1.0)],
    left_out=[], received=9, analysed=9, filtered=0, dropped=0, undecodable=0, packets_per_s=12_481.2,
    conversations=2310, conversations_most=1_000_000, logged=1, lost=0, counters={}, warnings=[],
)  # fmt: skip


@pytest.fixture
def whole(host: Host) -> Host:
    host.answers("masterd", status=MASTER)
    host.answers("noded", status=NODE)
    host.answers("analyzerd", status=ANALYZER)
    return host


def test_each_daemon_has_a_line_and_who_is_away_is_named(whole: Host) -> None:
    ran = whole.netctl("status")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "masterd     running   3 d 4 h   group lab-7   47 of 50 nodes here   last #1284, 50 of 50 in 6.1 ms",
        "noded       running   3 d 4 h   master 9f3a…c1 (enrolled)   last #1284, 2 min ago",
        "analyzerd   running   3 d 4 h   eth0   12,481 pkt/s   2,310 conversations   0 dropped",
        "3 nodes are away: rack7-n3 (12 s), rack7-n4 (2 h), press-2 (since Tuesday).  netctl nodes --away",
    ]


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (SendRate(mbit_s=61.96, loss_percent=4.02), "rate 62 Mbit/s (loss 4 % at the 90th percentile)"),
        (SendRate(mbit_s=2.5, loss_percent=50), "rate 2.5 Mbit/s (loss 50 % at the 90th percentile)"),
        (SendRate(mbit_s=105.0, loss_percent=0.3), "rate 105 Mbit/s (loss 0.3 % at the 90th percentile)"),
        (SendRate(mbit_s=105.0, loss_percent=0.0), "rate 105 Mbit/s (no loss)"),
    ],
)
def test_the_rate_is_shown_with_its_reason_once_a_long_message_has_set_it(
    host: Host, rate: SendRate, shown: str
) -> None:
    host.answers("masterd", status=msgspec.structs.replace(MASTER, rate=rate))
    assert host.netctl("status").out.splitlines()[0].endswith(f"   {shown}")


def test_details_show_the_rate_that_a_start_begins_with(host: Host) -> None:
    host.answers("masterd", status=MASTER)
    assert "rate 100 Mbit/s (start)" not in host.netctl("status").out
    assert "100 Mbit/s (start)" in host.netctl("status", "-v").out


def test_json_holds_what_each_daemon_answered(whole: Host) -> None:
    shown = json.loads(whole.netctl("status", "--json").out)
    assert shown["schema"] == "netctl.status/1"
    assert [(row["daemon"], row["running"]) for row in shown["daemons"]] == [
        ("masterd", True),
        ("noded", True),
        ("analyzerd", True),
    ]
    assert shown["daemons"][0]["status"]["nodes"]["here"] == 47


def test_what_is_down_is_said_with_what_to_do(host: Host) -> None:
    host.answers("noded", status=NODE)
    ran = host.netctl("status")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("masterd     not running   ")
    assert "masterd" in lines[0][20:]
    assert "running       3 d 4 h" in lines[1]


def test_handlers_that_wait_and_the_last_one_that_failed_are_said(host: Host) -> None:
    last = HandlerFailure("message-10", "1283", 513, "timed out", NOW - 120)
    handlers = HandlersAtWork(running=1, waiting=1200, failures=2, last_failure=last)
    host.answers("noded", status=msgspec.structs.replace(NODE, handlers=handlers))
    lines = host.netctl("status").out.splitlines()
    assert lines[1].endswith("   1,200 wait for handlers")
    assert "2 runs of handlers failed, the last of message-10 for #1283, 2 min ago: timed out" in lines
    assert ["handlers.running", "1"] in [line.split() for line in host.netctl("status", "-v").out.splitlines()]


def test_nothing_runs_is_3(host: Host) -> None:
    ran = host.netctl("status", "--json")
    assert ran.code == 3
    assert [row["state"] for row in json.loads(ran.out)["daemons"]] == ["not running"] * 3


def test_a_daemon_that_hangs_does_not_hide_the_others(host: Host) -> None:
    host.answers("masterd", status=Deadline("no answer in 1 s"))
    host.answers("noded", status=NODE)
    ran = host.netctl("status")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith("masterd     no answer")
    assert sum(host.timeouts) == pytest.approx(3.0)


def test_who_may_not_read_is_told_so(host: Host) -> None:
    host.answers("masterd", hello=NotPermitted("permission denied"))
    ran = host.netctl("status")
    assert ran.code == 4
    assert "not permitted" in ran.out


def test_instances_are_found_by_their_sockets(host: Host, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "noded@n2.sock").touch()
    host.answers("noded@n2", status=NODE)
    lines = host.netctl("status").out.splitlines()
    assert [line.split()[0] for line in lines] == ["masterd", "noded@n2", "analyzerd"]


def test_one_daemon_may_be_asked(whole: Host) -> None:
    assert whole.netctl("status", "--daemon", "noded").out.startswith("noded   running")
    assert len(whole.calls) == 1


def test_warnings_stand_below_and_drive_no_terminal(host: Host) -> None:
    host.answers("noded", status=msgspec.structs.replace(NODE, warnings=["the group is open\x1b[2J"]))
    assert host.netctl("status").out.splitlines()[-1] == "noded: the group is open\\x1b[2J"


def test_waiting_nodes_and_a_lone_master_are_said(host: Host) -> None:
    counts = NodeCounts(known=0, here=0, away=0, waiting=2, duplicate=1)
    host.answers("masterd", status=msgspec.structs.replace(MASTER, nodes=counts, last=None, away=[]))
    lines = host.netctl("status").out.splitlines()
    assert "no node yet   nothing sent yet" in lines[0]
    assert lines[3].startswith("2 nodes wait to be let in.")
    assert lines[4].startswith("1 identities")


def test_a_node_without_a_master_says_so(host: Host) -> None:
    host.answers("noded", status=msgspec.structs.replace(NODE, state="listening", master=None, last=None, behind=4))
    line = host.netctl("status", "--daemon", "noded").out
    assert "no master heard yet   nothing received yet   4 behind" in line


def test_verbose_shows_counters_that_count_and_the_carriers(whole: Host) -> None:
    out = whole.netctl("status", "-v").out
    assert "counters.repaired  3" in out
    assert "group id           00" in out
    assert ["open", "no"] in [line.split() for line in out.splitlines()]
    assert "standing reason" not in out, "there is none"
    assert "replay" not in out
    assert "carrier            eth0  broadcast  10.0.7.255:12345" in out


def test_many_listed_nodes_are_one_line(host: Host) -> None:
    listed = [Carrier(kind="unicast", interface="", address=f"10.9.0.{n}:12345") for n in range(4)]
    host.answers("masterd", status=msgspec.structs.replace(MASTER, carriers=[*MASTER.carriers, *listed]))
    out = host.netctl("status", "-v").out
    assert "unicast to 4 listed nodes" in out
    assert "10.9.0.1" not in out
    host.answers("masterd", status=msgspec.structs.replace(MASTER, carriers=listed[:1]))
    assert "unicast to 10.9.0.0:12345" in host.netctl("status", "-v").out


def test_a_master_that_does_not_speak_says_that_first(host: Host) -> None:
    why = "this master does not speak: the one at 10.0.7.2 speaks"
    silent = msgspec.structs.replace(MASTER, standing="standby", warnings=[why], unknown=["1/1284"])
    host.answers("masterd", status=silent)
    lines = host.netctl("status", "--daemon", "masterd").out.splitlines()
    assert lines[0].endswith("standby: says nothing   term 1, boot 1")
    assert lines[1:] == [f"masterd: {why}"]
    assert "up to #1/1284" in host.netctl("status", "-v").out


def test_colour_only_where_it_is_wanted(whole: Host) -> None:
    assert "\x1b[32mrunning\x1b[0m" in whole.netctl("status", terminal=True).out
    whole.environ["NO_COLOR"] = "1"
    assert "\x1b" not in whole.netctl("status", terminal=True).out
    assert "\x1b[32m" in whole.netctl("status", "--color", "always").out


def test_details_name_each_interface_and_what_was_left_out(host: Host) -> None:
    gone = msgspec.structs.replace(ANALYZER.interfaces[0], name="eth1", present=False, dropped=7)
    status = msgspec.structs.replace(ANALYZER, interfaces=[*ANALYZER.interfaces, gone], left_out=["port1"])
    host.answers("analyzerd", status=status)
    lines = [" ".join(line.split()) for line in host.netctl("status", "-v").out.splitlines()]
    assert "interface eth0 1 pkt/s, 9 analysed, 0 dropped" in lines
    assert "interface eth1 1 pkt/s, 9 analysed, 7 dropped, not there" in lines
    assert "left out port1" in lines
