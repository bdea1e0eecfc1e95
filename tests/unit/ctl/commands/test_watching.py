"""netctl stats, top and capture."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from netcrier.control.types.analyzer import CapturePart, FlowRow, Flows, Packets, Stats, StatsRow
from netcrier_ctl.commands.top import KEYS, ranked

from tests.scripted_host import NOW, Host


def packets(**counts: int) -> Packets:
    names = Packets.__struct_fields__
    return Packets(**(dict.fromkeys(names, 0) | counts))


ETH0 = StatsRow(
    interface="eth0", interval=10.0, delta=packets(received=12_481, analysed=12_480, dropped_ring=1),
    total=packets(received=1_000_000, analysed=1_000_000), conversations=2310, conversations_most=1_000_000,
    evicted=0, blocks_waiting=1, blocks=32, lag=0.002,
)  # fmt: skip
WHOLE = replace(
    ETH0, interface="*", log_queue=0, log_queue_most=1, log_lag=0.0, lines=77, lines_lost=0, memory=80_000_000,
    recent=1_000_000, given_up={"recent_blocks": 3, "pieces_lost": 0},
)  # fmt: skip


def test_stats_shows_where_every_packet_went_and_how_the_analyzer_keeps_up(host: Host) -> None:
    host.answers("analyzerd", stats=Stats([ETH0, WHOLE]))
    assert host.netctl("stats").out.splitlines() == [
        "INTERFACE  RECEIVED  ANALYSED  FILTERED  KERNEL  RING  BUDGET  DISK  UNDECODABLE  PKT/S",
        "eth0         12,481    12,480         0       0     1       0     0            0  1,248",
        "all          12,481    12,480         0       0     1       0     0            0  1,248",
        "",
        "packets        over the last 10.0 s; KERNEL to DISK is where they were dropped",
        "conversations  2,310 of 1,000,000, 0 written early",
        "rings          1 of 32 blocks wait, 2.0 ms behind",
        "logs           77 lines written, 0 lost; none wait",
        "memory         80.0 MB, of which recent packets 1.0 MB",
        "given up       3 recent blocks",
    ]
    assert "1,000,000" in host.netctl("stats", "--total").out


def conversation(uid: str, sent: int, received: int, orig: str = "10.0.0.1", port: int = 443) -> FlowRow:
    return FlowRow(
        uid=uid, start=NOW, duration=1.0, proto="tcp", orig=orig, orig_port=5000, resp="10.0.0.9", resp_port=port,
        service=None, state="S1", history="", sent=sent, received=received, packets_sent=sent // 10, packets_received=0,
    )  # fmt: skip


def test_top_ranks_by_what_came_between_two_looks() -> None:
    before = {"a": conversation("a", 1000, 0), "b": conversation("b", 0, 0, "10.0.0.2")}
    after = {
        "a": conversation("a", 1100, 0),
        "b": conversation("b", 0, 5000, "10.0.0.2", 80),
        "new": conversation("new", 30, 0),
    }
    shares = ranked(before, after, 2.0, KEYS["host"])
    assert [share.name for share in shares] == ["10.0.0.9", "10.0.0.2", "10.0.0.1"]
    assert (shares[0].sent_per_s, shares[0].received_per_s, shares[0].conversations) == (2500, 65, 3)
    assert (shares[2].sent_per_s, shares[2].packets_per_s, shares[2].sent) == (65, 6.5, 1130)
    assert [share.name for share in ranked(before, after, 2.0, KEYS["port"])] == ["tcp/80", "tcp/443"]
    assert ranked(before, after, 2.0, KEYS["conversation"])[0].name == "tcp 10.0.0.2:5000 > 10.0.0.9:80"
    assert [share.conversations for share in ranked(before, after, 2.0, KEYS["proto"])] == [3]


def test_top_guesses_no_rate_of_what_it_had_not_looked_at() -> None:
    after = {"old": conversation("old", 1000, 0), "new": conversation("new", 10, 0, port=80)}
    after["new"] = replace(after["new"], start=NOW + 2)
    shares = ranked({}, after, 1.0, KEYS["port"], NOW + 1)
    assert [(share.name, share.sent_per_s, share.sent) for share in shares] == [
        ("tcp/80", 10, 10),
        ("tcp/443", 0, 1000),
    ]


def test_of_a_large_table_top_looks_at_the_largest_that_are_active(host: Host) -> None:
    host.answers("analyzerd", flows=Flows([conversation("a", 10, 20)], 50_000))
    assert host.netctl("top", "--by", "proto").code == 0
    assert [(one.largest, one.active) for one in host.asked("flows")] == [(False, None), (True, 10.0)] * 2


def test_top_is_one_table_where_there_is_no_terminal(host: Host) -> None:
    host.answers("analyzerd", flows=Flows([conversation("a", 10, 20)], 1))
    ran = host.netctl("top", "--by", "proto")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines()] == [["PROTO", "CONVERSATIONS"], ["tcp", "1"]]
    host.answers("analyzerd", flows=Flows([], 0))
    assert host.netctl("top").code == 6


PARTS = [
    CapturePart(data=b"head", packets=0),
    CapturePart(data=b"one", packets=1),
    CapturePart(data=b"two", packets=2, missed=4),
]


def test_capture_writes_a_file_and_says_how_much(host: Host, tmp_path: Path) -> None:
    host.answers("analyzerd", capture=PARTS)
    ran = host.netctl("capture", "--last", "60s", "-n", "9", "-w", str(tmp_path / "out"), "udp", "port", "53")
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "out").read_bytes() == b"headonetwo"
    assert ran.err.splitlines() == [
        "3 packets, 10 B",
        "4 blocks of packets came faster than they could be sent and are not in it",
    ]
    request = host.calls[-1][2]
    assert (request.last, request.follow, request.filter, request.packets) == (60.0, False, "udp port 53", 9)


def test_a_capture_without_packets_ends_with_6(host: Host, tmp_path: Path) -> None:
    host.answers("analyzerd", capture=PARTS[:1])
    assert host.netctl("capture", "-w", str(tmp_path / "out")).code == 6
    assert host.calls[-1][2].follow


def test_packets_do_not_go_to_a_terminal(host: Host) -> None:
    host.answers("analyzerd", capture=PARTS)
    ran = host.netctl("capture", terminal=True)
    assert ran.code == 2
    assert "wireshark -k -i -" in ran.err


def test_a_file_that_cannot_be_made_is_named(host: Host, tmp_path: Path) -> None:
    host.answers("analyzerd", capture=PARTS)
    ran = host.netctl("capture", "-w", str(tmp_path / "no" / "out"))
    assert ran.code == 1
    assert "No such file" in ran.err
