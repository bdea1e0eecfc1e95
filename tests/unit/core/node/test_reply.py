"""A node answers by the way that the beacon came, where the beacon says that it may."""

from __future__ import annotations

import pytest
from netcrier.core.events import Address
from netcrier.core.node.reply import answer_address

LISTED = ("10.0.7.1", "10.9.0.1", "2001:db8::1", "fe80::1")


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (("10.9.0.1", 999), ("10.9.0.1", 12346)),
        (("fe80::1%3", 999), ("fe80::1%3", 12346)),
        (("192.0.2.9", 999), ("10.0.7.1", 12346)),
        (("2001:db8::9", 999), ("2001:db8::1", 12346)),
        (("fe80::9%3", 999), ("2001:db8::1", 12346)),
    ],
)
def test_a_listed_source_is_answered_else_the_first_of_its_family(source: Address, answer: Address) -> None:
    assert answer_address(LISTED, 12346, source) == answer


def test_an_empty_list_means_the_source() -> None:
    assert answer_address((), 12346, ("192.0.2.9", 999)) == ("192.0.2.9", 999)


def test_another_family_is_better_than_an_address_of_some_link() -> None:
    assert answer_address(("fe80::1", "10.0.7.1"), 12346, ("2001:db8::9", 9)) == ("10.0.7.1", 12346)


def test_an_address_of_one_link_is_used_on_the_link_that_the_beacon_came_by() -> None:
    assert answer_address(("fe80::1",), 12346, ("fe80::9%3", 999)) == ("fe80::1%3", 12346)
    assert answer_address(("fe80::1",), 12346, ("2001:db8::9", 999)) == ("2001:db8::9", 999)
