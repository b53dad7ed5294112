"""Markdown, formulas and programs as HTML that needs nothing else: no network, no script.

Formulas become MathML, which browsers draw by themselves. Everything that is not markup is escaped:
HTML in a text or a program shows as what it is.
"""

from __future__ import annotations

import functools
import re

from latex2mathml import converter
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

# TeX's spaces, which MathML does not have: "a log m" but "log(m)", and "x = -y" with a sign.
_PAREN = r"(?=<mo[^>]*>&#x00028;|<mrow><mo[^>]*>&#x00028;)"
_AFTER = r"(<mo[^>]*>&#x(?:0003D|00028|0002C|02192);</mo>)"  # = ( , ->
_SPACES = (
    (re.compile(rf"<m[io]>(log|max)</m[io]>{_PAREN}"), r'<mo lspace="0.167em" rspace="0">\1</mo>'),
    (re.compile(r"<m[io]>(log|max)</m[io]>"), r'<mo lspace="0.167em" rspace="0.167em">\1</mo>'),
    (re.compile(rf"{_AFTER}<mo>&#x02212;</mo>"), r'\1<mo form="prefix">&#x02212;</mo>'),
)

_LIGHT, _DARK = "default", "github-dark"  # how programs are coloured


def theory_html(text: str) -> str:
    """Return a chapter's text, Markdown with formulas between dollar signs, as HTML.

    >>> theory_html("the *dual*, $x < 1$")
    '<p>the <em>dual</em>, <span class="math inline"><math ...
    """
    return _theory().render(text)


def prose_html(text: str) -> str:
    """Return an example's prose as HTML: Markdown in which a dollar is a dollar.

    >>> prose_html("as in `D(x) < 0`")
    '<p>as in <code>D(x) &lt; 0</code></p>\\n'
    """
    return _prose().render(text)


def program_html(source: str) -> str:
    """Return a Python program with its parts coloured by class, for `program_css`."""
    return highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))


def program_css() -> str:
    """Return the colours of programs, for light and for dark."""
    light, dark = (
        HtmlFormatter(style=style).get_style_defs(".program") for style in (_LIGHT, _DARK)
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


@functools.cache
def _prose() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False})


@functools.cache
def _theory() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return markdown.use(dollarmath_plugin, renderer=_formula, double_inline=False)


def _formula(latex: str, options: dict[str, bool]) -> str:
    display = "block" if options["display_mode"] else "inline"
    mathml = converter.convert(latex.strip(), display=display)
    for pattern, spaced in _SPACES:
        mathml = pattern.sub(spaced, mathml)
    return mathml
