from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.lecture.chapters import read_chapters
from minigan.lecture.markup import program_css, program_html, prose_html, theory_html

EXAMPLES = Path(__file__).parents[2] / "examples"
MATH = "{http://www.w3.org/1998/Math/MathML}"


def formulas(html):
    """The MathML trees in a piece of HTML."""
    pieces = html.split("<math")[1:]
    return [ElementTree.fromstring("<math" + p.partition("</math>")[0] + "</math>") for p in pieces]


def test_formulas_become_mathml():
    html = theory_html("In $x < 1$ and\n\n$$\\frac{a}{b}$$\n")
    inline, block = formulas(html)
    assert (inline.get("display"), block.get("display")) == ("inline", "block")
    assert [e.tag for e in block.iter() if e.tag == f"{MATH}mfrac"] == [f"{MATH}mfrac"]
    assert "$" not in html


def test_a_logarithm_is_set_apart_from_what_it_is_of():
    html = theory_html("$a \\log m + \\log (m) + \\log \\left( m \\right)$")
    logs = [e for e in formulas(html)[0].iter() if e.text == "log"]
    assert [log.get("rspace") for log in logs] == ["0.167em", "0", "0"]


def test_a_sign_is_no_difference():
    html = theory_html("$a - b = -c, f(-d) \\to -e$")
    minus = [e for e in formulas(html)[0].iter() if e.text == "\N{MINUS SIGN}"]
    assert [m.get("form") for m in minus] == [None, "prefix", "prefix", "prefix"]


def test_tables_and_formulas_go_together():
    html = theory_html("| a | b |\n|---|---|\n| c | $x_1$ |\n")
    assert "<table>" in html
    assert len(formulas(html)) == 1


@pytest.mark.parametrize("chapter", read_chapters(EXAMPLES), ids=lambda c: c.title)
def test_every_formula_of_the_lecture_is_understood(chapter):
    text = "\n\n".join(content for kind, content in chapter.parts if kind == "text")
    html = theory_html(text)
    assert len(formulas(html)) >= 2
    assert "$" not in html
    for formula in formulas(html):
        said = "".join(formula.itertext())
        assert "\\" not in said, "a command that the converter does not know"


def test_a_dollar_in_prose_is_a_dollar():
    assert prose_html("it costs $5 or $6") == "<p>it costs $5 or $6</p>\n"


@given(st.text(st.sampled_from("<>&\"'a*_`$ \n"), max_size=40))
def test_no_markup_gets_through(text):
    for html in (prose_html(text), program_html(text)):
        assert "<a" not in html
        assert "<script" not in prose_html(f"{text}<script>alert(1)</script>")


def test_programs_are_coloured():
    html = program_html("def f():\n    return '<b>'\n")
    assert '<span class="k">def</span>' in html
    assert "&lt;b&gt;" in html
    assert ".program .k" in program_css()
    assert "prefers-color-scheme: dark" in program_css()
