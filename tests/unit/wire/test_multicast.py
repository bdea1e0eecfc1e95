"""The multicast groups as PROTOCOL.md writes them."""

from __future__ import annotations

from ipaddress import ip_address

from netcrier.wire.multicast import MEETING, ipv4_group, ipv6_group

from tests.datagrams import GROUP


def test_the_groups_follow_from_the_id() -> None:
    assert ipv4_group(GROUP) == "239.192.0.1"
    assert ipv6_group(GROUP) == "ff15::4e43:1:203:405:607"


def test_the_meeting_is_where_no_group_is() -> None:
    assert (ipv4_group(MEETING), ipv6_group(MEETING)) == ("239.192.78.67", "ff15:0:0:4e43:4e43::")


def test_both_are_multicast() -> None:
    assert ip_address(ipv4_group(GROUP)).is_multicast
    assert ip_address(ipv6_group(GROUP)).is_multicast
