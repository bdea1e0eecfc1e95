"""Who the master knows, and who counts as here."""

from __future__ import annotations

from netcrier.core.events import NodeRow
from netcrier.core.master.roster import Node, Roster
from netcrier.ids import NodeId


def node(index: int, name: str = "", approved: bool = True) -> Node:
    identity = NodeId(index.to_bytes(1, "big") + bytes(15))
    trust = "first-use" if approved else "waiting"
    row = NodeRow(index, identity, bytes(32), name, bytes(16), (), trust, approved, 1, "", 0, ())
    return Node(row, bytes(32))


def roster_of(*nodes: Node) -> Roster:
    roster = Roster()
    for one in nodes:
        roster.put(one)
    return roster


def test_nodes_are_found_by_identity_index_name_and_four_digits() -> None:
    one, two = node(0x12, "web"), node(0x34, "db")
    roster = roster_of(one, two)
    assert roster.get(two.row.id) is two
    assert roster.at(0x12) is one
    assert roster.find("db") == [two]
    assert roster.find("3400") == [two]
    assert roster.find("340") == []
    assert roster.find("") == []


def test_two_nodes_of_one_name_are_both_found() -> None:
    assert len(roster_of(node(1, "web"), node(2, "web")).find("web")) == 2


def test_a_waiting_node_is_no_member() -> None:
    roster = roster_of(node(0), node(1, approved=False))
    assert (roster.members(), roster.waiting(), len(roster)) == ((0,), 1, 2)


def test_a_forgotten_node_is_gone() -> None:
    one = node(0)
    roster = roster_of(one, node(1))
    roster.remove(one)
    assert (roster.get(one.row.id), roster.at(0), roster.members()) == (None, None, (1,))


def test_an_index_is_given_to_one_node() -> None:
    assert roster_of().next_index([]) == 0
    assert roster_of(node(0), node(4)).next_index([]) == 5
    assert roster_of(node(0)).next_index([1, 2]) == 3
    gone = node(7)
    roster = roster_of(gone)
    roster.remove(gone)
    assert roster.next_index([]) == 8


def test_a_node_is_away_after_three_silences() -> None:
    one = node(0)
    roster = roster_of(one)
    assert not roster.here(one, 0.0)
    one.heard_at = 100.0
    assert roster.here(one, 130.0)
    assert not roster.here(one, 130.1)
