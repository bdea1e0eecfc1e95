"""Selectors and their patterns: what they mean, what is refused, and that no pattern is catastrophic."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.errors import UsageError
from netcrier.wire.limits import PATTERN_DEPTH_MAX, SELECTOR_MAX, SELECTOR_TESTS_MAX
from netcrier.wire.pattern import Pattern
from netcrier.wire.selector import facts_of, parse_selector

WEB = facts_of("rack7-n1", (("role", "web"), ("site", "fra"), ("os", "debian 12"), ("note", "a,b")))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("role=web", True),
        ("role=db", False),
        ("role=web,site!=fra", False),
        ("role=web,site!=ber", True),
        ("role=web,site!=ber,os=~deb.*", True),
        ("os=~deb", False),
        ("os=~.*12|.*13", True),
        ("gpu!=none", True),
        ("gpu=", False),
        ("gpu=~.*", False),
        ("name=rack7-n1", True),
        ("name=~rack[1-6]-n.", False),
        (" role = web , site = fra ", True),
        ("note=a\\,b", True),
        ("note=~a\\,.", True),
        ("note=a", False),
    ],
)
def test_all_tests_must_hold(text: str, holds: bool) -> None:
    assert parse_selector(text).holds(WEB) is holds


def test_a_tag_called_name_goes_before_the_name() -> None:
    assert parse_selector("name=other").holds(facts_of("rack7-n1", (("name", "other"),)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("role", "no test"),
        ("role=web,", "no test"),
        ("=web", "a key has 1 to 63 bytes"),
        ("k" * 64 + "=1", "a key has 1 to 63 bytes"),
        ("a=" + "x" * (SELECTOR_MAX - 1), "at most 255"),
        (",".join(["a=1"] * (SELECTOR_TESTS_MAX + 1)), "at most 16"),
        ("os=~deb(", "a ( without its )"),
        ("os=~deb)", "a ) without its ("),
        ("os=~*", "nothing to repeat"),
        ("os=~a**", "a repetition of a repetition"),
        ("os=~[]", "an empty []"),
        ("os=~[z-a]", "is empty"),
        ("os=~[a", "it ends too early"),
        ("os=~^deb", "has no meaning here"),
        ("os=~a{2}", "has no meaning here"),
        ("os=~" + "(" * (PATTERN_DEPTH_MAX + 1) + "a" + ")" * (PATTERN_DEPTH_MAX + 1), "groups in one another"),
        ("os=~a\\", "it ends too early"),
    ],
)
def test_what_is_no_selector_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        parse_selector(text)


def test_a_selector_has_as_much_as_its_limits() -> None:
    assert parse_selector("a=" + "x" * (SELECTOR_MAX - 2)).holds({}) is False
    assert parse_selector(",".join(["a!=1"] * SELECTOR_TESTS_MAX)).holds({}) is True
    assert Pattern("(" * PATTERN_DEPTH_MAX + "a" + ")" * PATTERN_DEPTH_MAX).matches("a")


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|a?)+b", "((a*)*(a*)*)*b", "(.*)(.*)(.*)(.*)(.*)(.*)b"])
def test_patterns_that_are_catastrophic_elsewhere_take_no_time_here(pattern: str) -> None:
    begin = time.process_time()
    assert not Pattern(pattern).matches("a" * 63)
    assert Pattern(pattern).matches("a" * 62 + "b")
    assert time.process_time() - begin < 1.0


SIMPLE = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "\\."]),
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})")
        | st.tuples(inner, st.sampled_from("*+?")).map(lambda pair: f"({pair[0]}){pair[1]}")
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(SIMPLE, st.text("ab.", max_size=8))
def test_a_pattern_means_what_it_means_to_python(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) is (re.fullmatch(pattern, text, re.DOTALL) is not None)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.text("ab=~!,\\()[]*|", max_size=40))
def test_any_text_is_a_selector_or_a_usage_error(text: str) -> None:
    try:
        selector = parse_selector(text)
    except UsageError:
        return
    selector.holds({"a": "b"})
