"""Who may do what, as a table."""

from __future__ import annotations

import os
import socket

import pytest
from netcrier.control.peer import OVERFLOW
from netcrier.control.rights import Credentials, Policy, credentials
from netcrier.control.types.shared import Right

READ, CHANGE = Right.READ, Right.CHANGE
POLICY = Policy(own_uid=300, readers=10, changers=20)


@pytest.mark.parametrize(
    ("uid", "groups", "may"),
    [
        (0, {0}, {READ, CHANGE}),
        (300, {300}, {READ, CHANGE}),
        (1000, {1000}, set()),
        (1000, {1000, 10}, {READ}),
        (1000, {10}, {READ}),
        (1000, {1000, 20}, {READ, CHANGE}),
        (1000, {1000, 10, 20}, {READ, CHANGE}),
        (OVERFLOW, {10, 20}, set()),
        (1000, {OVERFLOW}, set()),
    ],
)
def test_rights_follow_the_callers_ids(uid: int, groups: set[int], may: set[Right]) -> None:
    assert POLICY.rights(Credentials(1, uid, frozenset(groups))) == may


def test_overflow_ids_get_nothing_even_where_they_are_named() -> None:
    policy = Policy(own_uid=OVERFLOW, readers=OVERFLOW, changers=OVERFLOW)
    assert not policy.rights(Credentials(1, OVERFLOW, frozenset({OVERFLOW})))
    assert not policy.rights(Credentials(1, 1000, frozenset({OVERFLOW})))


def test_without_the_groups_only_root_and_the_daemons_user_may() -> None:
    policy = Policy(own_uid=300, readers=None, changers=None)
    assert not policy.rights(Credentials(1, 1000, frozenset({1000})))
    assert policy.rights(Credentials(1, 300, frozenset({300}))) == {READ, CHANGE}


def test_the_kernel_names_the_peer() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        found = credentials(ours)
    assert (found.pid, found.uid) == (os.getpid(), os.geteuid())
    assert found.groups == {os.getegid(), *os.getgroups()}
