"""Messages start handlers on real nodes: in order, within bounds, once, and the master learns what they returned."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest, Sent
from netcrier.control.types.node import JoinRequest, NodeStatus
from netcrier.control.types.trust import TokenRequest
from netcrier.wire.handled import Code

from tests import handlers
from tests.site import Daemon, Site, eventually, site

TRUSTED = {"NETCRIER_HANDLERS_FIRST_USE": "true"}


def handler(node: Daemon, name: str, script: str, mode: int = 0o755) -> None:
    handlers.handler(node.place / "config" / "handlers.d", script, name, mode)


def status(node: Daemon) -> NodeStatus:
    found = node.call("status")
    assert isinstance(found, NodeStatus)
    return found


def waits(node: Daemon) -> bool:
    return status(node).handlers.waiting == 1


def says(out: Path, text: str) -> bool:
    return out.exists() and out.read_text() == text


def idle(node: Daemon) -> bool:
    found = status(node).handlers
    return found.running == found.waiting == 0


def receipt(here: Site, sent: Sent, node: str) -> tuple[str, int]:
    """What the master knows: the state and its code."""
    rows = here.master.call("receipts", ReceiptsRequest(sent.id)).rows
    [row] = [row for row in rows if row.name == node]
    return row.state, row.code


def urgent(here: Site, body: bytes) -> Sent:
    sent = here.master.call("broadcast", BroadcastRequest(body=body, request=body.hex(), lane=1))
    assert isinstance(sent, Sent)
    return sent


def test_handlers_run_by_name_with_the_message_and_its_facts_and_the_first_failure_is_the_code(tmp_path: Path) -> None:
    with site(tmp_path, "web1", "web2", **TRUSTED) as here:
        out = tmp_path / "out"
        facts = "$NETCRIER_EVENT $NETCRIER_ID $NETCRIER_SEQUENCE $NETCRIER_SIZE $NETCRIER_NAME"
        handler(here.nodes["web1"], "message-20", f"echo 20 >>{out}; exit 3")
        handler(here.nodes["web1"], "message-10", f'echo 10 "$(cat)" {facts} >>{out}')
        handler(here.nodes["web1"], "message-30", f"echo 30 >>{out}; exit 4")
        handler(here.nodes["web1"], "disk", f"echo never >>{out}")
        sent = here.broadcast(b"hello")
        eventually(lambda: receipt(here, sent, "web1") == ("handled", 3), "the master knows the code")
        assert out.read_text() == f"10 hello message {sent.id} {sent.sequence} 5 web1\n20\n30\n"
        assert receipt(here, sent, "web2") == ("delivered", 0), "nothing ran there, nothing is told"
        failure = status(here.nodes["web1"]).handlers.last_failure
        assert failure
        assert (failure.handler, failure.message, failure.reason) == ("message-30", sent.id, "exit 4")
        [line] = [line for line in here.master.lines() if line.get("state") == "handled"]
        assert (line["name"], line["code"]) == ("web1", 3)


def test_one_that_hangs_is_killed_and_the_next_message_is_handled(tmp_path: Path) -> None:
    with site(tmp_path, "web1", **TRUSTED, NETCRIER_HANDLERS_SECONDS="0.5") as here:
        handler(here.nodes["web1"], "message", 'case "$(cat)" in hang) sleep 100 ;; flood) exec yes ;; esac')
        codes = {body: here.broadcast(body) for body in (b"hang", b"flood", b"fine")}
        eventually(lambda: receipt(here, codes[b"fine"], "web1") == ("handled", 0), "the last is handled")
        assert [receipt(here, sent, "web1")[1] for sent in codes.values()] == [Code.TIMED_OUT, Code.TIMED_OUT, 0]


def test_what_noded_began_and_did_not_see_end_is_uncertain_and_not_begun_again(tmp_path: Path) -> None:
    """But for a handler that may; what was not begun is begun after the restart, in order."""
    with site(tmp_path, "web1", "web2", **TRUSTED, NETCRIER_HANDLERS_IDEMPOTENT="message-sync") as here:
        for host, name in (("web1", "message-once"), ("web2", "message-sync")):
            out, open_ = tmp_path / f"{host}.out", tmp_path / f"{host}.open"
            script = f'echo "begun $(cat)" >>{out}; until [ -e {open_} ]; do sleep 0.02; done'
            handler(here.nodes[host], name, script)
        first, second = here.broadcast(b"first"), here.broadcast(b"second")
        for host, node in here.nodes.items():
            out = tmp_path / f"{host}.out"
            eventually(partial(waits, node), "one runs, one waits")
            eventually(partial(says, out, "begun first\n"), "it has begun")
            node.kill()
            (tmp_path / f"{host}.open").touch()
            node.start()
        eventually(lambda: all(receipt(here, second, host) == ("handled", 0) for host in here.nodes), "both go on")
        assert receipt(here, first, "web1") == ("handled", Code.UNCERTAIN)
        assert (tmp_path / "web1.out").read_text() == "begun first\nbegun second\n"
        assert receipt(here, first, "web2") == ("handled", 0)
        assert (tmp_path / "web2.out").read_text() == "begun first\nbegun first\nbegun second\n"


def test_a_stop_lets_a_short_handler_end_and_begins_no_other(tmp_path: Path) -> None:
    with site(tmp_path, "web1", **TRUSTED) as here:
        node, out = here.nodes["web1"], tmp_path / "out"
        handler(node, "message", f'body=$(cat); echo "begun $body" >>{out}; sleep 0.5; echo "ended $body" >>{out}')
        first, second = here.broadcast(b"first"), here.broadcast(b"second")
        eventually(out.exists, "it has begun")
        assert node.stop() == 0
        assert out.read_text() == "begun first\nended first\n"
        node.start()
        eventually(lambda: receipt(here, second, "web1") == ("handled", 0), "the second is handled")
        assert receipt(here, first, "web1") == ("handled", 0)


def test_for_a_master_of_first_use_nothing_runs_and_what_is_not_roots_runs_for_none(tmp_path: Path) -> None:
    with site(tmp_path, "web1") as here:
        node, out = here.nodes["web1"], tmp_path / "out"
        handler(node, "message", f"cat >>{out}")
        sent = here.broadcast(b"before")
        eventually(lambda: receipt(here, sent, "web1")[0] == "delivered", "it is delivered")
        assert any("netctl join" in warning for warning in status(node).warnings)
        node.call("join", JoinRequest(here.master.call("token.create", TokenRequest()).token))
        here.wait_enrolled()
        eventually(lambda: not any("netctl join" in text for text in status(node).warnings), "it is trusted")
        handler(node, "message-open", f"echo never >>{out}", 0o777)
        sent = here.broadcast(b"after")
        eventually(lambda: receipt(here, sent, "web1")[0] == "handled", "it is handled")
        assert receipt(here, sent, "web1")[1] == Code.UNSAFE
        assert out.read_text() == "after", "the message of before has had its time"
        assert any("message-open will not run" in warning for warning in status(node).warnings)


def test_a_burst_is_received_at_once_and_handled_in_order_and_the_urgent_overtakes(tmp_path: Path) -> None:
    with site(tmp_path, "web1", **TRUSTED) as here:
        node, out, gate = here.nodes["web1"], tmp_path / "out", tmp_path / "open"
        handler(node, "message", f"[ $NETCRIER_LANE = 1 ] || until [ -e {gate} ]; do sleep 0.02; done; cat >>{out}")
        sent = [here.broadcast(b"%d\n" % number) for number in range(200)]
        here.wait_received(200)
        assert receipt(here, sent[-1], "web1") == ("delivered", 0)
        first = urgent(here, b"urgent\n")
        eventually(lambda: receipt(here, first, "web1") == ("handled", 0), "the urgent one is handled")
        assert out.read_text() == "urgent\n"
        gate.touch()
        eventually(lambda: idle(node), "all are handled", 120)
        assert out.read_text() == "urgent\n" + "".join(f"{number}\n" for number in range(200))
        eventually(lambda: all(receipt(here, one, "web1") == ("handled", 0) for one in sent), "and all told")
