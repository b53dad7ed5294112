import base64
import re

import pytest

from minigan import __version__
from minigan.train.config import CycleGANConfig, GANConfig, Pix2PixConfig, StyleConfig
from minigan.train.errors import ConfigError
from minigan.train.report.album import BUDGET
from minigan.train.report.gather import gather
from minigan.train.report.page import build_page
from minigan.train.run_folder import RunFolder


def test_the_page_is_well_formed_and_links_lead_somewhere(page_of, folder, tags_of):
    tags = tags_of(page_of(folder))
    ids = {attributes.get("id") for _, attributes in tags} - {None}
    targets = {a["href"] for tag, a in tags if tag == "a"}
    assert targets == {
        f"#{name}"
        for name in ("samples", "triples", "curves", "quality", "configuration", "commands")
    }
    assert {target[1:] for target in targets} <= ids


def test_nothing_comes_from_elsewhere(page_of, folder, tags_of):
    page = page_of(folder)
    for tag, attributes in tags_of(page):
        assert tag not in ("iframe", "object", "embed", "base", "form")
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    assert "@import" not in page
    assert "url(" not in page


def test_the_title_says_recipe_and_state(page_of, folder):
    page = page_of(folder)
    assert "<title>digits: 00000-digits</title>" in page
    assert 'digits <span class="state finished">finished</span>' in page
    assert "<dd>30<small>of 30</small></dd>" in page
    assert "<dd>3 s<small>1,420 images/s</small></dd>" in page
    assert "<dt>Fréchet distance</dt><dd>7.6<small>floor 1.9</small></dd>" in page


def test_an_unfinished_run_says_how_to_go_on(page_of, folder):
    folder.config_file.write_text(GANConfig(steps=1000).to_toml())
    page = page_of(folder)
    assert '<span class="state unfinished">unfinished</span>' in page
    assert f"minigan resume {folder.path}" in page


def test_pictures_are_inside_byte_for_byte_and_the_last_is_seen(page_of, folder, tags_of):
    images = [a for tag, a in tags_of(page_of(folder)) if tag == "img"]
    films = [a for a in images if "data-step" in a]
    samples = films[:4]
    assert [a["data-step"] for a in samples] == ["0", "10", "20", "30"]
    for attributes in samples:
        data = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
        path = folder.samples / f"step-{int(attributes['data-step']):06d}.png"
        assert data == path.read_bytes()
    assert ["hidden" in a for a in films] == [True, True, True, False] * 2
    assert len(images) == len(films) + 1  # reals.png, and latest.png not again


def test_changed_options_come_first_with_their_default(page_of, folder):
    page = page_of(folder)
    names = re.findall(r"<dt><code>([^<]+)</code>", page)
    assert len(names) == len(GANConfig.options())
    assert names[:3] == ["--steps", "--width", "recipe"]
    assert re.search(r"--steps</code>.*?<dd>30<small>default 1000</small></dd>", page)
    assert page.count("<small>default") == 2
    assert "Divide D&#x27;s weights by their spectral norms" in page


def test_curves_for_every_kind_of_record(page_of, folder):
    page = page_of(folder)
    titles = re.findall(r"<figcaption><h3>(.*?)</h3>", page)
    assert titles == [
        "Losses", "R1", "Spectral norms of D&#x27;s layers", "Gradient norms",
        "Shares of the classes",
    ]  # fmt: skip
    assert "where D cannot tell real from fake" in page


def test_every_figure_stands_beside_its_floor(page_of, folder):
    page = page_of(folder)
    head, row = re.findall(r"<tr>(.*?)</tr>", page)[:2]
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == ["generator", "floor", "untrained"]
    assert re.findall(r"<td>(.*?)</td>", row) == ["7.6", "1.9", "1131"]


def test_commands_and_versions(page_of, folder):
    folder.note_command(["minigan", "resume", "a b"])
    page = page_of(folder)
    expected = "minigan train --steps 30\nminigan resume &#x27;a b&#x27;</pre>"
    assert expected in page
    assert f"made by minigan {__version__} with NumPy" in page


def test_what_is_missing_is_said(page_of, tmp_path):
    page = page_of(RunFolder.create(tmp_path / "runs", GANConfig()))
    for said in (
        "No pictures of samples yet.",
        "metrics.jsonl has no losses, no spectral norms of D, no gradient norms.",
        f"No figures yet: <code>minigan evaluate {tmp_path}/runs/00000-digits</code>",
        "Every option has its default.",
        "command.txt is missing or empty.",
        "no checkpoint in",
    ):
        assert said in page


def test_a_folder_without_a_good_config_is_no_run(page_of, folder):
    folder.config_file.write_text(GANConfig().to_toml().replace("steps = 1000", "steps = -1"))
    with pytest.raises(ConfigError, match="--steps is -1"):
        page_of(folder)


@pytest.mark.parametrize(
    ("config", "names", "captions", "triples"),
    [
        (
            StyleConfig(),
            ("step", "truncation", "mixing", "own"),
            ("the same seeds at every step", "psi from 0, the mean", "Mixed styles", "own, step 5"),
            False,
        ),
        (
            CycleGANConfig(),
            ("step", "triples"),
            ("of A over their translations", "Real, translated, and translated back, step 5"),
            True,
        ),
        (CycleGANConfig(), (), ("No triples in samples/ yet.",), True),
        (Pix2PixConfig(), ("step",), ("their translations, and the right answers",), False),
    ],
)
def test_pictures_say_what_they_show(page_of, tmp_path, make_png, config, names, captions, triples):
    folder = RunFolder.create(tmp_path, config)
    for name in names:
        (folder.samples / f"{name}-000005.png").write_bytes(make_png(16, 16))
    page = page_of(folder)
    for caption in captions:
        assert caption in page
    assert ('<section id="triples">' in page) == triples


def test_nothing_hostile_becomes_markup(page_of, hostile, tags_of):
    page = page_of(hostile)
    tags = tags_of(page)
    assert [a.get("type") for tag, a in tags if tag == "script"] == ["application/json", None]
    assert not any(name.startswith("on") for _, a in tags for name in a)
    assert not any(tag in ("b", "i") and a for tag, a in tags if "data-series" not in a)
    assert "\x00" not in page
    assert "\u202e" not in page
    page.encode("utf-8")


def test_what_is_broken_is_said(page_of, hostile):
    page = page_of(hostile)
    for said in (
        "cannot read checkpoint",
        "metrics.jsonl: 5 lines are no records of a run, passed over.",
        "step-000000.png: not a PNG that can be read.",
        "step-000001.png: not a PNG that can be read.",
        "reals.png: not a file of at most 50 MB.",
        "D is not a finite number in 3 of 3 records, first at step 1.",
        "not finite",
    ):
        assert said in page


def test_the_policy_allows_the_pages_own_script_alone(page_of, folder, tags_of):
    policies = [a["content"] for _, a in tags_of(page_of(folder)) if "http-equiv" in a]
    (policy,) = policies
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'", policy)


def test_an_option_is_escaped_whatever_its_recipe_allows(folder):
    run = gather(folder)
    object.__setattr__(run.config, "data", "<script>alert(1)</script>" * 100)
    page = build_page(run)
    assert "<script>alert" not in page
    assert "<dd>&lt;script&gt;alert(1)" in page


def test_the_page_stays_below_ten_megabytes(page_of, folder, make_png, record):
    """The most of everything: films of pictures as large as may be, series, points, bad files."""
    noise = make_png(150, 150, noise=True)
    for name in "step", "triples-a", "b", "c", "d", "e", "f":
        for step in range(45):
            (folder.samples / f"{name}-{step:06d}.png").write_bytes(noise)
    names = [f"{i:02d}{'<' * 78}" for i in range(50)]
    values = {name: 1 / (i + 1) for i, name in enumerate(names)}
    lines = [{"kind": "step", "step": t, **values} for t in range(1000)]
    norms = dict.fromkeys(("sigma", "sigma_trained", "gradient"), values)
    lines += [{"kind": "norms", "step": t, **norms} for t in range(1000)]
    record(folder, lines)
    (folder.path / "command.txt").write_text("<" * 10**6)
    page = page_of(folder)
    assert 4 / 3 * BUDGET * 0.8 < len(page.encode()) < 10_000_000
    assert "40 of 45 pictures are on this page" in page
    assert "are reduced to keep the page small" in page
    assert "8 series in samples/: 6 of them are shown." in page
    assert "metrics.jsonl has more series than a page can show" in page


def test_a_damaged_checkpoint_is_told_of(page_of, folder):
    folder.checkpoints.save({}, {"step": 20})
    folder.checkpoints.path(30).write_bytes(b"")
    page = page_of(folder)
    assert "using the last good one, of step 20." in page
    assert "step-000030.safetensors" in page
