"""The line of a key, found by a scan of the text, in every shape TOML 1.0.0 gives a key."""

import tomllib
from pathlib import Path

import pytest

from firmware.board_lines import dotted, find_lines

EXAMPLE = Path(__file__).parent.parent / "board.toml"

NASTY = {
    "a = 1\n\n# a = 2\n[b]\n# c = 3\nc = 4 # d = 5\n": {"a": 1, "b": 4, "b.c": 6},
    "[a.b.c]\nx = 1\n[a]\ny = 2\n": {"a.b.c": 1, "a.b.c.x": 2, "a": 3, "a.y": 4},
    "[[r]]\nn = 1\n[[r]]\nn = 2\n[r.s]\nm = 3\n[[r.t]]\nk=1\n[[r.t]]\nk=2\n[[r]]\n[[r.t]]\nk=3\n": {
        "r[0].n": 2, "r[1]": 3, "r[1].n": 4, "r[1].s.m": 6, "r[1].t[0].k": 8, "r[1].t[1].k": 10,
        "r[2]": 11, "r[2].t[0].k": 13,
    },
    'a = { b = 1, c = { d = "}", e = [1, 2] } }\nf = 2\n': {
        "a.b": 1, "a.c.d": 1, "a.c.e[1]": 1, "f": 2,
    },
    "a.b . c = 1\na.d = 2\n": {"a": 1, "a.b.c": 1, "a.d": 2},
    "\"a.b\" = 1\n'c d'.e = 2\n\"\\u0061\" = 3\n": {'"a.b"': 1, '"c d".e': 2, "a": 3},
    "a = [\n  1, # ] a comment\n\n  2,\n]\nb = 3\n": {"a[0]": 2, "a[1]": 4, "b": 6},
    "a = [\n  {x = 1},\n  {x = [ [3],\n [4] ]},\n]\nb = 2\n": {
        "a[0].x": 2, "a[1].x": 3, "a[1].x[1][0]": 4, "b": 6,
    },
    'a = """\nb = 1\n[c]\n\\"""" # d\ne = """x"""""\nf = 1\n': {"a": 1, "e": 5, "f": 6},
    "a = '''\nb = 1\n''\n[c]'''''\nd = ''\ne = '#'\n": {"a": 1, "d": 5, "e": 6},
    'a = "\\" # [x]"\r\nb = "#" # c = 1\r\n\r\nd = \'\\\'\r\ne = 1\r\n': {
        "a": 1, "b": 2, "d": 4, "e": 5,
    },
    "a = 1979-05-27 07:32:00Z # x\nb = -inf\nc = 0xF\n": {"a": 1, "b": 2, "c": 3},
    "  [ a . 'b' ]  \n\tc=[[],{},\n[]]\nd=1": {"a.b": 1, "a.b.c": 2, "a.b.c[2]": 3, "a.b.d": 4},
    'a = """"quoted""""\nb = """\\\n   \\\\"""\nc = 1\n': {"a": 1, "b": 2, "c": 4},
}  # fmt: skip


def places(value, at=()):
    """Every place of a parsed document, tables and elements included."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for part, each in inside:
        yield (*at, part)
        if isinstance(each, dict | list):
            yield from places(each, (*at, part))


@pytest.mark.parametrize("text", NASTY)
def test_lines_of_nested_tables_arrays_strings_and_comments(text):
    """Issue: its line found by a scan of the file and tested for nested tables and arrays."""
    lines = find_lines(text)
    shown = {dotted(place): line for place, line in lines.items()}
    assert {key: shown.get(key) for key in NASTY[text]} == NASTY[text]
    assert set(lines) == set(places(tomllib.loads(text))), "the places are those of tomllib"


def test_lines_of_the_example_are_those_of_its_text():
    text = EXAMPLE.read_text("utf-8")
    lines = find_lines(text)
    assert set(lines) == set(places(tomllib.loads(text)))
    rows = text.splitlines()
    for place, line in lines.items():
        if isinstance(place[-1], str):
            assert place[-1] in rows[line - 1]
