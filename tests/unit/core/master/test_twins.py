"""Two machines with one identity are told from datagrams that overtook one another."""

from __future__ import annotations

from tests.network import Network


def test_one_refused_report_may_have_been_overtaken_and_two_with_ever_newer_beacons_are_another_machine() -> None:
    net = Network(1, seed=4)
    net.run(5)
    master, now = net.master, net.now
    (node,) = master.roster
    newest = node.answered
    for beacon in (newest, newest + 1, newest + 1):
        master._twins.refused(node, beacon, True, now)
        assert not master.roster.double(node, now)
    master._twins.refused(node, newest + 2, False, now)
    assert not master.roster.double(node, now), "a beacon that this master has not said lately"
    master._twins.refused(node, newest + 2, True, now)
    assert master.roster.double(node, now)
