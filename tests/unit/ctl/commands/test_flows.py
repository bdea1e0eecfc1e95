from __future__ import annotations

import gzip
import json
from argparse import ArgumentParser
from pathlib import Path

import pytest
import zstandard
from netcrier.control.types.analyzer import FlowRow, Flows, FlowsRequest
from netcrier.runtime.archive import rotated_name
from netcrier_ctl.commands import flows
from netcrier_ctl.units import NONE

from tests.scripted_host import NOW, Host


def flow(ago: float, duration: float | None = 1.0, **fields: object) -> dict[str, object]:
    record: dict[str, object] = {
        "ts": NOW - ago, "uid": f"C{ago:g}", "id.orig_h": "10.0.7.11", "id.orig_p": 51422, "id.resp_h": "10.0.7.2",
        "id.resp_p": 445, "proto": "tcp", "conn_state": "SF", "community_id": "1:x",
    }  # fmt: skip
    return (
        record
        | ({} if duration is None else {"duration": duration})
        | {k.replace("__", "."): v for k, v in fields.items()}
    )


def conn_log(host: Host, *records: dict[str, object], torn: str = "") -> Path:
    path = Path(host.environ["NETCRIER_LOG_DIR"]) / "analyzerd/conn.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + torn)
    return path


def uids(host: Host, *words: str) -> list[str]:
    return [record["uid"] for record in json.loads(host.netctl("flows", "--json", *words).out)["flows"]]


def test_conversations_are_a_table(host: Host) -> None:
    conn_log(
        host,
        flow(
            60, 12.41, service="smb", orig_bytes=1, orig_ip_bytes=1_200_000, resp_ip_bytes=48_100_000,
            orig_rtt=0.0001, resp_rtt=0.0003, resp_retransmits=3,
        ),
        flow(30, None, proto="icmp"),
    )  # fmt: skip
    ran = host.netctl("flows")
    assert ran.code == 0
    assert [line.replace(NONE, "-") for line in ran.out.splitlines()] == [
        "START     DURATION  PROTO  FROM             TO            SERVICE  STATE  SENT    RECEIVED  RTT     RETRANS",
        "07:59:00  12.4 s    tcp    10.0.7.11:51422  10.0.7.2:445  smb      SF     1.2 MB  48.1 MB   0.4 ms  0 / 3",
        "07:59:30  -         icmp   10.0.7.11        10.0.7.2      -        SF     -       -         -       -",
    ]


def test_the_newest_are_shown_the_oldest_first(host: Host) -> None:
    conn_log(host, *(flow(ago) for ago in range(50, 0, -1)))
    assert uids(host) == [f"C{ago}" for ago in range(20, 0, -1)]
    assert uids(host, "-n", "2") == ["C2", "C1"]


def test_json_holds_the_records_as_they_are(host: Host) -> None:
    conn_log(host, flow(5))
    shown = json.loads(host.netctl("flows", "--json").out)
    assert shown == {"schema": "netctl.flows/1", "flows": [flow(5)]}


@pytest.mark.parametrize(
    ("which", "found"),
    [("10.0.7.11", ["C3", "C1"]), ("10.0.9.0/24", ["C2"]), ("fe80::1", ["C1"]), ("10.0.7.2", ["C3"]), ("10.1.1.1", [])],
)
def test_an_address_or_a_network_at_either_end(host: Host, which: str, found: list[str]) -> None:
    conn_log(host, flow(3), flow(2, id__orig_h="10.0.9.9", id__resp_h="10.0.9.1"), flow(1, id__resp_h="fe80::1"))
    assert uids(host, "--host", which) == found


def test_since_counts_from_the_end_of_a_conversation(host: Host) -> None:
    conn_log(host, flow(5000, 1), flow(900, 800), flow(500, 10), *(flow(90) for _ in range(25)))
    assert uids(host, "--since", "5m") == ["C900", *["C90"] * 25]


def test_since_looks_behind_records_that_were_written_late(host: Host) -> None:
    conn_log(host, flow(10), flow(2000, 1), flow(5))
    assert uids(host, "--since", "1m") == ["C10", "C5"]


def test_nothing_found_is_6_and_an_empty_list(host: Host) -> None:
    conn_log(host)
    ran = host.netctl("flows", "--json")
    assert (ran.code, json.loads(ran.out)["flows"]) == (6, [])


def test_no_log_says_what_to_do(host: Host) -> None:
    ran = host.netctl("flows")
    assert (ran.code, "conn.log" in ran.err, "analyzerd" in ran.err.splitlines()[1]) == (6, True, True)


def test_another_file_may_be_read_and_its_times_be_iso(host: Host, tmp_path: Path) -> None:
    path = conn_log(host, flow(1, ts="2027-01-15T07:59:59.000000Z"), torn='{"ts":').rename(tmp_path / "other.log")
    assert host.netctl("flows", "--file", str(path)).out.splitlines()[1].startswith("07:59:59")


def test_v6_ends_are_bracketed(host: Host) -> None:
    conn_log(host, flow(1, id__orig_h="fe80::1"))
    assert "[fe80::1]:51422" in host.netctl("flows").out


def test_filters_of_one_kind_are_alternatives_and_of_different_kinds_must_all_hold(host: Host) -> None:
    conn_log(
        host,
        flow(5, id__resp_p=443, orig_ip_bytes=900_000, resp_ip_bytes=200_000),
        flow(4, id__resp_p=80, conn_state="S0"),
        flow(3, id__resp_p=8080, service="http"),
        flow(2, proto="udp", id__resp_p=53, service="dns"),
        flow(1, id__orig_h="10.9.0.1"),
    )
    assert uids(host, "--port", "443", "--port", "53") == ["C5", "C2"]
    assert uids(host, "--port", "80-8999", "--proto", "tcp") == ["C5", "C4", "C3", "C1"]
    assert uids(host, "--state", "s0") == ["C4"]
    assert uids(host, "--service", "dns", "--service", "http", "--not", "--port", "53") == ["C3"]
    assert uids(host, "--not", "--proto", "udp", "--not", "--from", "10.7.0.0/8") == []
    assert uids(host, "--from", "10.9.0.0/16") == ["C1"]
    assert uids(host, "--to", "10.0.7.2", "--bytes", "1.1MB") == ["C5"]


def test_a_time_has_two_ends(host: Host) -> None:
    conn_log(host, flow(300), flow(200), flow(100))
    assert uids(host, "--since", "250s", "--until", "150s") == ["C200"]
    assert uids(host, "--until", "150s") == ["C300", "C200"]


def test_of_a_conversation_with_partial_records_the_newest_is_shown(host: Host) -> None:
    long = {"uid": "Clong", "partial": True}
    conn_log(host, flow(200, 60, **long), flow(200, 120, **long), flow(30, uid="Cx"), flow(200, 180, uid="Clong"))
    shown = json.loads(host.netctl("flows", "--json").out)["flows"]
    assert [(row["uid"], row["duration"]) for row in shown] == [("Cx", 1.0), ("Clong", 180)]


@pytest.mark.parametrize("packed", [True, False])
def test_what_was_rotated_away_is_read_on_as_far_as_it_is_wanted(host: Host, packed: bool) -> None:
    path = conn_log(host, flow(1))
    for ago, pack, suffix in ((100, gzip.compress, ".gz"), (200, zstandard.compress, ".zst"), (9000, bytes, "")):
        old = path.with_name(rotated_name("conn.log", NOW - ago))
        data = json.dumps(flow(ago)).encode() + b"\n"
        old.with_name(old.name + (suffix if packed else "")).write_bytes(pack(data) if packed else data)
    path.with_name("conn.log-notes").write_text("no log of ours")
    assert uids(host) == ["C9000", "C200", "C100", "C1"]
    assert uids(host, "-n", "2") == ["C100", "C1"]
    assert uids(host, "--since", "150s") == ["C100", "C1"]


def test_a_rotated_log_that_is_damaged_is_named(host: Host) -> None:
    path = conn_log(host, flow(1))
    path.with_name(rotated_name("conn.log", NOW) + ".zst").write_bytes(b"\x28\xb5\x2f\xfd junk")
    ran = host.netctl("flows")
    assert ran.code == 1
    assert ".zst" in ran.err


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("", FlowsRequest(limit=10_000)),
        ("--host 10.0.7.0/24 --proto TCP", FlowsRequest(limit=10_000, host="10.0.7.0/24", proto="tcp")),
        ("--from 10.0.7.1 --to fd00::1", FlowsRequest(limit=10_000, orig="10.0.7.1", resp="fd00::1")),
        ("--port 8000-8999", FlowsRequest(limit=10_000, port_low=8000, port_high=8999)),
        ("--port 1 --port 2 --host 10.0.0.1 --host 10.0.0.2", FlowsRequest(limit=10_000)),
        ("--not --port 443 --not --host 10.0.0.1", FlowsRequest(limit=10_000)),
    ],
)
def test_of_the_live_table_the_analyzer_gives_what_can_be_meant(words: str, request_: FlowsRequest) -> None:
    args = ArgumentParser()
    flows.add(args)
    assert flows._request(args.parse_args(words.split()).filters) == request_


def test_the_live_table_takes_the_same_filters(host: Host) -> None:
    row = FlowRow(
        uid="Clive", start=NOW - 5, duration=4.0, proto="tcp", orig="10.0.7.11", orig_port=5000, resp="10.0.7.2",
        resp_port=443, service=None, state="S1", history="Sh", sent=100, received=5000, packets_sent=2,
        packets_received=4,
    )  # fmt: skip
    host.answers("analyzerd", flows=Flows([row], 30_000))
    assert "10.0.7.2:443  –" in host.netctl("flows", "--live").out  # noqa: RUF001 - a dash as in a printed table
    assert host.netctl("flows", "--live", "--port", "80").code == 6
    ran = host.netctl("flows", "--live", "--port", "443")
    assert ran.code == 0
    assert "the newest 1 of 30,000 conversations are looked at" in ran.err
