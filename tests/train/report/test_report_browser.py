"""The report in a real browser; skipped, with the reason, where there is none."""

import json

import pytest

SEEN = """
(() => {
  const film = document.querySelector('[data-film="step"]');
  const seen = [...film.querySelectorAll("img")].filter((i) => i.getClientRects().length);
  const told = film.querySelector("output").textContent, slider = film.querySelector("input").value;
  return {steps: seen.map((i) => Number(i.dataset.step)), source: seen[0].src, told, slider};
})()
"""
CURSORS = "[...document.querySelectorAll('.cursor')].map((c) => c.getAttribute('x1'))"


@pytest.fixture
def url(page_of, folder, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page_of(folder), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def hostile_url(page_of, hostile, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(page_of(hostile), encoding="utf-8")
    return path.as_uri()


def seen(browser):
    """The one picture of the film "step" that is seen, what the page says of it, its source."""
    found = browser.evaluate(f"JSON.stringify({SEEN})")
    state = json.loads(found)
    (step,) = state["steps"]
    assert state["told"] == str(step)
    assert state["slider"] == str([0, 10, 20, 30].index(step))
    return step, state["source"]


def slide(browser, index):
    browser.evaluate(
        f"var slider = document.querySelector('input'); slider.value = {index};"
        "slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("which", ["url", "hostile_url"])
def test_the_page_fits_the_screen_and_nothing_complains(browser, request, which, width):
    browser.open(request.getfixturevalue(which), width=width)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.sticking_out() == ""
    assert browser.complaints() == []


@pytest.mark.parametrize("which", ["url", "hostile_url"])
def test_nothing_is_asked_of_the_network(browser, request, which):
    address = request.getfixturevalue(which)
    browser.open(address, width=390)
    first, *others = browser.requests()
    assert first == address
    assert [r[:80] for r in others if not r.startswith("data:")] == []
    assert "owned" not in browser.evaluate("document.title")


def test_the_slider_changes_the_picture(browser, url):
    browser.open(url, width=390)
    shown = [seen(browser)]
    for index in (0, 1, 2):
        slide(browser, index)
        shown.append(seen(browser))
    assert [step for step, _ in shown] == [30, 0, 10, 20]
    assert len({source for _, source in shown}) == 4
    assert browser.complaints() == []


def test_every_film_and_every_chart_follow_the_slider(browser, url):
    browser.open(url, width=390)
    slide(browser, 1)
    triples = (
        "[...document.querySelectorAll('[data-film^=triples] img')].findIndex((i) => !i.hidden)"
    )
    assert browser.evaluate(triples) == 1
    places = [float(place.rstrip("%")) for place in browser.evaluate(CURSORS)]
    assert len(places) == 4
    assert places == pytest.approx([100 / 3] * 4)
    assert browser.evaluate("document.querySelectorAll('.chart b')[2].textContent") == "0.1"  # R1


def test_the_arrow_keys_move_it(browser, url):
    browser.open(url, width=390)
    for key, step in (("ArrowLeft", 20), ("ArrowLeft", 10), ("ArrowRight", 20)):
        browser.press(key)
        assert seen(browser)[0] == step
    browser.evaluate("document.querySelector('input').focus()")
    browser.press("ArrowLeft")
    assert seen(browser)[0] == 10, "the slider itself moves once"


def test_play_goes_through_the_pictures_and_stops_at_the_last(browser, url):
    browser.open(url, width=390)
    browser.evaluate(
        """var times = [], real = setInterval;
        setInterval = (f) => { times.push(f); return 1; };
        document.querySelector('.play').click()"""
    )
    label = "document.querySelector('.play').textContent"
    assert (seen(browser)[0], browser.evaluate(label)) == (0, "Pause")
    for step in (10, 20, 30):
        browser.evaluate("times[0]()")
        assert seen(browser)[0] == step
    assert browser.evaluate(label) == "Play"
    assert browser.complaints() == []


def test_play_can_be_paused(browser, url):
    browser.open(url, width=390)
    for label in ("Pause", "Play"):
        browser.evaluate("document.querySelector('.play').click()")
        assert browser.evaluate("document.querySelector('.play').textContent") == label


def test_the_mouse_on_a_curve_reads_it_and_a_click_moves_the_time(browser, url):
    browser.open(url, width=1280)
    browser.evaluate("document.querySelector('.plot').scrollIntoView({behavior: 'instant'})")
    box = json.loads(
        browser.evaluate(
            "JSON.stringify(document.querySelector('.axes .plot').getBoundingClientRect())"
        )
    )
    x, y = box["x"] + box["width"] * 0.34, box["y"] + 80
    browser.point(x, y)
    assert browser.evaluate("document.querySelectorAll('.chart b')[2].textContent") == "0.1"
    assert seen(browser)[0] == 30, "looking moves nothing"
    browser.point(x, y, press=True)
    assert seen(browser)[0] == 10
    browser.point(x, 5)
    assert browser.evaluate("document.querySelectorAll('.chart b')[2].textContent") == "0.1"


def test_without_a_script_the_last_picture_is_seen(browser, url):
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(url, width=390)
        shown = "[...document.querySelectorAll('[data-film=step] img')].map((i) => i.hidden)"
        assert browser.evaluate(shown) == [True, True, True, False]
        assert browser.evaluate("document.querySelector('.controls').hidden")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_the_policy_stops_what_is_not_the_pages_own(browser, page_of, folder, tmp_path):
    """If markup ever slipped through: the browser itself must refuse to run it."""
    page = page_of(folder).replace("<main>", "<main><script>document.title = 'owned'</script>")
    (tmp_path / "broken.html").write_text(page, encoding="utf-8")
    browser.open((tmp_path / "broken.html").as_uri(), width=390)
    assert browser.evaluate("document.title") == "digits: 00000-digits"
    assert browser.complaints()


def test_it_is_dark_in_the_dark(browser, url):
    colour = "getComputedStyle(document.body).backgroundColor"
    browser.open(url, width=390)
    light = browser.evaluate(colour)
    browser.open(url, width=390, dark=True)
    assert (light, browser.evaluate(colour)) == ("rgb(255, 255, 255)", "rgb(20, 22, 26)")
