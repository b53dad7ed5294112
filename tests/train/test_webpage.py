import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.train.webpage import block, data_uri, document, shortened, text_html


@given(st.text(st.characters()))
def test_text_is_no_markup_and_can_be_written(text):
    html = text_html(text)
    assert not set(html) & set("<>\"'\x00\r\u202e\u2028\ud800")
    html.encode("utf-8")


@pytest.mark.parametrize("text", ["plain", "ä ‖ −", "two\nlines\t", "non\xa0breaking", "日本 👩"])
def test_what_can_be_seen_stays(text):
    assert text_html(text) == text


def test_what_cannot_be_seen_is_written_out():
    assert text_html("a\u202eb\x1b[0m\ud800") == "a\\u202eb\\x1b[0m\\ud800"


def test_the_policy_names_the_style_and_the_script(tags_of):
    page = document("A < B", "<p>x</p>", style="p { color: red; }\n", script="var é = '<';")
    tags = tags_of(page)
    (policy,) = (a["content"] for _, a in tags if "http-equiv" in a)
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "<title>A &lt; B</title>" in page
    assert "p { color: red; }" in page


def test_a_page_without_a_script_allows_none():
    page = document("a", "")
    assert "script-src 'none'" in page
    assert "<script" not in page


def test_bytes_become_an_address():
    assert data_uri(b"abc", "image/jpeg") == "data:image/jpeg;base64,YWJj"


def test_blocks_are_escaped_and_can_be_scrolled_by_keyboard():
    assert block("output", "1 < 2") == '<pre class="output" tabindex="0">1 &lt; 2</pre>\n'
    assert block("output", "") == ""


@given(st.text(max_size=20), st.integers(1, 10))
def test_shortened_text_is_no_longer(text, most):
    short = shortened(text, most)
    assert len(short) == min(len(text), most)
    assert short == text or (short[-1] == "…" and text.startswith(short[:-1]))
