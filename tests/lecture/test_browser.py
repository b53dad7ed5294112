"""The page in a real browser; skipped, with the reason, where there is none."""

import pytest

from minigan.lecture.chapters import only, read_chapters
from minigan.lecture.examples import find_examples, find_folder, run
from minigan.lecture.page import build_page


def the_lecture_without_runs():
    """The whole theory and the prose of the real examples, with one run of them: the quickest."""
    folder = find_folder()
    examples = find_examples(folder)
    done = run(examples[0], smoke=True)
    assert done.error == ""
    runs = {e.number: type(done)(e, done.output, done.pictures, "", 1.0) for e in examples}
    return build_page(list(only(read_chapters(folder), runs)), runs)


@pytest.fixture(scope="module")
def lecture(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "lecture.html"
    path.write_text(the_lecture_without_runs(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=["made", "lecture"])
def url(request, folder, tmp_path):
    """A page made for this test, where all is long and one example fails; or the real one."""
    if request.param == "lecture":
        return request.getfixturevalue("lecture")
    runs = {e.number: run(e) for e in find_examples(folder)}
    path = tmp_path / "made.html"
    chapters = list(only(read_chapters(folder), runs))
    path.write_text(build_page(chapters, runs), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_the_screen(browser, url, width):
    browser.open(url, width=width)
    assert browser.evaluate("innerWidth") == width, "the viewport is the screen's"
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.sticking_out() == ""


def test_long_lines_scroll_inside_the_page(browser, folder, tmp_path):
    path = tmp_path / "made.html"
    path.write_text(build_page(read_chapters(folder), {}), encoding="utf-8")
    browser.open(path.as_uri(), width=320)
    wide = "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1)"
    scrolling = f"{wide}.filter(e => getComputedStyle(e).overflowX === 'auto').length"
    assert browser.evaluate(scrolling) >= 1


def test_nothing_is_asked_of_the_network(browser, url):
    browser.open(url, width=390)
    requests = browser.requests()
    assert requests[0] == url
    assert [r[:80] for r in requests[1:] if not r.startswith("data:")] == []


def test_every_picture_is_loaded_and_nothing_complains(browser, url):
    browser.open(url, width=390)
    images = browser.evaluate("[...document.images].map(i => i.complete && i.naturalWidth)")
    assert images
    assert all(images)
    assert browser.complaints() == []


def test_formulas_are_drawn_as_formulas(browser, lecture):
    browser.open(lecture, width=390)
    fraction = "document.querySelector('mfrac')"
    # A browser that did not know MathML would set numerator and denominator side by side.
    top, bottom = (
        browser.evaluate(f"{fraction}.children[{i}].getBoundingClientRect().top") for i in (0, 1)
    )
    assert bottom > top + 5


def test_it_is_dark_in_the_dark(browser, url):
    colour = "getComputedStyle(document.body).backgroundColor"
    browser.open(url, width=390)
    light = browser.evaluate(colour)
    browser.open(url, width=390, dark=True)
    assert (light, browser.evaluate(colour)) == ("rgb(255, 255, 255)", "rgb(20, 22, 26)")
