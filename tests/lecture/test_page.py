import base64
import re

import pytest

from minigan.lecture.chapters import only, read_chapters
from minigan.lecture.examples import find_examples, run
from minigan.lecture.page import build_page


@pytest.fixture(scope="module")
def runs_of():
    """Run the examples of a folder once a module."""
    done = {}

    def runs(folder):
        if not done:
            done.update({e.number: run(e, smoke=True) for e in find_examples(folder)})
        return done

    return runs


@pytest.fixture
def page(folder, runs_of):
    runs = runs_of(folder)
    return build_page(list(only(read_chapters(folder), runs)), runs, smoke=True)


def test_the_page_is_well_formed_and_links_lead_somewhere(page, tags_of):
    tags = tags_of(page)
    ids = {attributes.get("id") for _, attributes in tags} - {None}
    targets = [a["href"] for tag, a in tags if tag == "a"]
    assert {"#chapter-0", "#example-01", "#example-02"} <= set(targets)
    assert {target[1:] for target in targets} <= ids


def test_nothing_comes_from_elsewhere(page, tags_of):
    for tag, attributes in tags_of(page):
        assert tag not in ("script", "iframe", "object")
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    assert "@import" not in page
    assert "url(" not in page


def test_pictures_are_inside_with_their_size(page, folder, runs_of):
    (picture,) = re.findall(
        r'<img src="data:image/png;base64,([^"]+)" width="700" height="3"', page
    )
    assert base64.b64decode(picture) == runs_of(folder)["01"].pictures[0]


def test_what_was_printed_is_shown_and_escaped(page):
    assert "1 + 1 = 2 &amp; 1 &lt; 2 smoke Agg\nä ‖</pre>" in page
    assert "Sums and &lt;tags&gt;" in page
    assert "Then &lt;b&gt;this&lt;/b&gt;." in page
    assert "/tmp" not in page.partition("<details>")[0]


def test_a_failure_is_seen_at_the_top_and_at_its_place(page):
    assert 'Failed: <a href="#example-02">02_fails</a>' in page
    place = page[page.index('<article id="example-02"') :]
    assert "ZeroDivisionError: division by zero</pre>" in place


def test_the_page_tells_how_it_was_made(page):
    assert re.search(r"Made by minigan \S+ from 2 examples, run in \d+ s, in short", page)


def test_phones_and_the_dark(page):
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page
    assert "prefers-color-scheme: dark" in page
