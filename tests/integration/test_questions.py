"""ping and query with real processes: round trips, who is silent, handlers and their bounds, trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from netcrier.control.failures import NotFound
from netcrier.control.types.node import JoinRequest
from netcrier.control.types.question import AnswerRow, PingRequest, QueryRequest
from netcrier.control.types.trust import TokenRequest
from netcrier_ctl.lab import Lab

from tests import handlers
from tests.site import Site, eventually


@contextmanager
def site(place: Path, *names: str, **environ: str) -> Iterator[Site]:
    with Lab(["master", *names]) as lab:
        here = Site(lab, place)
        here.start_master()
        for name in names:
            here.start_node(name, None, NETCRIER_TAGS=f"role={name[:-1]}", **environ)
        here.wait_enrolled()
        yield here


def handler(here: Site, host: str, name: str, script: str) -> None:
    handlers.handler(here.nodes[host].place / "config" / "handlers.d", script, name)


def asked(here: Site, request: PingRequest | QueryRequest) -> dict[str, AnswerRow]:
    method = "ping" if isinstance(request, PingRequest) else "query"
    with here.master.client() as client:
        rows: Iterator[AnswerRow] = client.stream(method, request)
        return {row.name: row for row in rows}


def test_a_ping_measures_those_that_are_there_and_names_the_silent(tmp_path: Path) -> None:
    with site(tmp_path, "web1", "web2", "db1") as here:
        rows = asked(here, PingRequest(timeout=5.0))
        assert {row.state for row in rows.values()} == {"answered"}
        assert all(row.rtt_ms is None or 0 < row.rtt_ms < 1000 for row in rows.values())
        here.nodes["web2"].kill()
        rows = asked(here, PingRequest(to="role=web", timeout=0.5))
        assert {name: row.state for name, row in rows.items()} == {"web1": "answered", "web2": "silent"}
        with pytest.raises(NotFound, match="no node matches"):
            asked(here, PingRequest(to="role=gateway"))


def test_a_query_brings_output_and_exit_status_of_the_nodes_that_it_means(tmp_path: Path) -> None:
    with site(tmp_path, "web1", "web2", "db1", NETCRIER_HANDLERS_FIRST_USE="true") as here:
        ran = tmp_path / "ran"
        handler(here, "web1", "disk", 'cat; echo " on $NETCRIER_NAME, $NETCRIER_TAG_ROLE"')
        handler(here, "web2", "disk", "head -c 100000 /dev/zero; exit 7")
        handler(here, "db1", "disk", f"echo >{ran}")
        rows = asked(here, QueryRequest(name="disk", body=b"/var", to="role=web"))
        assert sorted(rows) == ["web1", "web2"]
        assert (rows["web1"].state, rows["web1"].output) == ("answered", b"/var on web1, web\n")
        assert (rows["web2"].state, rows["web2"].code, rows["web2"].reason) == ("failed", 7, "exit 7")
        assert (len(rows["web2"].output), rows["web2"].size) == (16384, 100_000)
        assert not ran.exists(), "a node that is not meant runs nothing"


def test_a_handler_that_hangs_is_killed_in_time_to_say_so(tmp_path: Path) -> None:
    with site(tmp_path, "web1", NETCRIER_HANDLERS_FIRST_USE="true") as here:
        handler(here, "web1", "hang", "sleep 1000")
        row = asked(here, QueryRequest(name="hang", timeout=2.0))["web1"]
        assert (row.state, row.reason) == ("failed", "timed out")
        row = asked(here, QueryRequest(name="absent"))["web1"]
        assert (row.state, row.reason) == ("refused", "no such handler")


def test_a_node_of_first_use_runs_nothing_until_a_token_names_its_master(tmp_path: Path) -> None:
    with site(tmp_path, "web1") as here:
        ran = tmp_path / "ran"
        handler(here, "web1", "touch", f"touch {ran}")
        row = asked(here, QueryRequest(name="touch"))["web1"]
        assert (row.state, row.reason) == ("refused", "trusts its master by first use only")
        assert not ran.exists()
        token = here.master.call("token.create", TokenRequest()).token
        here.nodes["web1"].call("join", JoinRequest(token))

        def runs() -> bool:
            with suppress(NotFound):  # the group is closed now: the node has to come in again
                return asked(here, QueryRequest(name="touch"))["web1"].state == "answered"
            return False

        eventually(runs, "it runs")
        assert ran.exists()
