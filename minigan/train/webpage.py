"""A web page in one file that needs no network: what the lecture and a run's report share.

A page shows what others wrote: prose, programs, options, the names of losses. So everything goes
through `text_html` or an escape, and a Content Security Policy allows nothing but pictures inside
the page and the very style and script it was made with, which it names by their hashes. Should
markup ever slip through, the browser runs no script of it and asks the network for nothing.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from html import escape
from pathlib import Path
from typing import Any

# Unicode's categories of what has no shape: controls, formats, surrogates, line separators.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def document(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """Return a page as one HTML text: `style` after what all pages share, `script` at the end.

    `title` is text and is escaped; `body` is HTML. The script runs once the page is there; a page
    without one allows none at all.
    """
    style = f"\n{_shared_style()}{style}"
    script_tag = f"<script>{script}</script>\n" if script else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{text_html(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
{script_tag}</body>
</html>
"""


def text_html(value: Any) -> str:
    """Return a value's text as HTML, what cannot be seen being written out.

    Control characters, those that turn the direction of writing, and lone surrogates (which UTF-8
    cannot hold) become their escapes; line breaks and tabs stay.

    >>> text_html('<b> "x" \\x00\\u202e')
    '&lt;b&gt; &quot;x&quot; \\\\x00\\\\u202e'
    """
    return escape("".join(map(_visible, str(value))))


def shortened(text: str, most: int = 80) -> str:
    """Return a text of at most `most` characters, an ellipsis in the place of the rest.

    >>> shortened("a long name", 7)
    'a long…'
    """
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def data_uri(data: bytes, kind: str = "image/png") -> str:
    """Return a file as an address that holds all of it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def block(kind: str, text: str) -> str:
    """Return preformatted text that scrolls by itself, by keyboard too (tabindex); "" for none."""
    return f'<pre class="{kind}" tabindex="0">{text_html(text)}</pre>\n' if text else ""


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _shared_style() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    scripts = _source(script) if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {scripts}; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    """Return how a policy names the inline text that it allows."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
