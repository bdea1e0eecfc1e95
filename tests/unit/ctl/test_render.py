from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netcrier_ctl.render import (
    Column,
    Style,
    aligned,
    body_text,
    fitted,
    listing,
    printable,
    short_id,
    styled,
    table,
    wants_color,
)

COLUMNS = (Column("NAME"), Column("BEHIND", right=True), Column("TAGS"))


def test_columns_are_aligned_and_lines_end_without_spaces() -> None:
    assert table(COLUMNS, [["rack7-n1", "0", "role=render"], ["n4", "1,009", ""]]) == [
        "NAME      BEHIND  TAGS",
        "rack7-n1       0  role=render",
        "n4         1,009",
    ]


def test_a_note_stands_behind_the_edge_of_the_table() -> None:
    lines = table(COLUMNS, [["gate-1", "0", "", "waits"], ["n", "0", "a=b"]])
    assert lines[1:] == ["gate-1       0        waits", "n            0  a=b"]


def test_lines_are_cut_to_the_width_and_the_cut_is_shown() -> None:
    assert table(COLUMNS, [["rack7-n1", "0", "role=render"]], width=20) == [
        "NAME      BEHIND  T…",
        "rack7-n1       0  r…",
    ]


def test_the_last_cell_of_a_row_widens_no_column() -> None:
    assert aligned([["a", "a long reason"], ["b", "x", "y"]]) == ["a  a long reason", "b  x  y"]


def test_nothing_is_aligned_to_nothing() -> None:
    assert aligned([]) == []


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("\x9b1m", "\\x9b1m"),
        ("\u202eevil", "\\u202eevil"),
        ("héllo ✓", "héllo ✓"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.binary())
def test_any_body_is_one_printable_line(body: bytes) -> None:
    assert body_text(body).isprintable()


def test_a_table_shows_names_from_the_network_harmlessly() -> None:
    assert "\x1b" not in "".join(table(COLUMNS, [["\x1b[31mred", "0", "\r"]]))


@pytest.mark.parametrize(
    ("choice", "terminal", "no_color", "wanted"),
    [
        ("auto", True, None, True),
        ("auto", True, "", True),
        ("auto", True, "1", False),
        ("auto", False, None, False),
        ("always", False, "1", True),
        ("never", True, None, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(choice: str, terminal: bool, no_color: str | None, wanted: bool) -> None:
    assert wants_color(choice, terminal, no_color) is wanted


def test_style_without_colour_is_the_bare_word() -> None:
    assert styled("running", Style.GOOD, color=False) == "running"
    assert styled("running", Style.GOOD, color=True) == "\x1b[32mrunning\x1b[0m"


def test_a_long_list_is_counted() -> None:
    assert listing(["a", "b"], 2) == "a, b"
    assert listing([*"abcd"], 2) == "a, b and 2 more"


def test_ids_are_shortened_in_the_middle() -> None:
    assert short_id("9f3a" + "0" * 26 + "c1") == "9f3a…c1"
    assert short_id("9f3ac1") == "9f3ac1"


def test_fitted_keeps_what_fits() -> None:
    assert (fitted("abc", 3), fitted("abcd", 3)) == ("abc", "ab…")
