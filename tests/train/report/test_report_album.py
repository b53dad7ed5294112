import base64
import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.train.report import album
from minigan.train.report.album import evenly, fair_share, read_album


def decoded(picture):
    return base64.b64decode(picture.uri.partition(",")[2])


def test_films_and_stills_are_found_by_their_names(folder):
    found = read_album(folder.samples)
    assert {n: [s for s, _ in f.frames] for n, f in found.films.items()} == {
        "step": [0, 10, 20, 30],
        "triples-a2b": [0, 10, 20, 30],
    }
    assert list(found.stills) == ["reals"]
    assert found.problems == []
    picture = found.films["triples-a2b"].frames[0][1]
    assert (picture.width, picture.height, picture.smaller) == (48, 16, False)


def test_no_folder_is_an_empty_album(tmp_path):
    found = read_album(tmp_path / "absent")
    assert (found.films, found.stills, found.problems) == ({}, {}, [])


def test_steps_are_ordered_as_numbers(tmp_path, make_png):
    for step in ("1000000", "000020", "9"):
        (tmp_path / f"step-{step}.png").write_bytes(make_png())
    (film,) = read_album(tmp_path).films.values()
    assert [step for step, _ in film.frames] == [9, 20, 1000000]


@given(st.integers(0, 500), st.integers(2, 60))
def test_an_even_choice_keeps_first_and_last(count, most):
    chosen = evenly(range(count), most)
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
    if count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        gaps = np.diff(chosen)
        assert not len(gaps) or gaps.max() - gaps.min() <= 1


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 10_000))
def test_the_fair_share_fits_and_leaves_nothing_over(sizes, budget):
    limit = fair_share(sizes, budget)
    assert sum(min(size, limit) for size in sizes) <= budget
    if sum(sizes) > budget:  # one more for everybody would be too much
        assert sum(min(size, limit + 1) for size in sizes) > budget
    else:
        assert all(size <= limit for size in sizes)


def test_a_large_picture_is_made_smaller_and_stays_the_picture(tmp_path, monkeypatch):
    ramp = np.linspace(0, 255, 600).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 8, (600, 600))
    Image.fromarray((ramp[None, :] // 2 + noise).astype(np.uint8)).save(tmp_path / "a-1.png")
    monkeypatch.setattr(album, "BUDGET", 20_000)
    (film,) = read_album(tmp_path).films.values()
    picture = film.frames[0][1]
    assert picture.smaller
    assert len(decoded(picture)) <= 20_000
    assert picture.uri.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(decoded(picture))) as image:
        assert image.size == (picture.width, picture.height)
        seen = np.asarray(image.convert("L").resize((600, 600))).astype(float)
    assert abs(seen - (ramp[None, :] // 2 + 3.5)).mean() < 4


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16"])
def test_every_kind_of_png_can_be_made_smaller(tmp_path, monkeypatch, mode):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(noise).convert(mode)
    image.save(tmp_path / "a-1.png")
    monkeypatch.setattr(album, "BUDGET", 4_000)
    found = read_album(tmp_path)
    assert found.problems == []
    assert found.films["a"].frames[0][1].smaller


@pytest.mark.parametrize("kept", [0, 20, 60, 500])
def test_a_file_cut_short_is_named(tmp_path, make_png, kept):
    data = make_png(20, 20, noise=True)
    assert len(data) > 1000
    (tmp_path / "a-1.png").write_bytes(data[:kept])
    assert read_album(tmp_path).problems == ["a-1.png: not a PNG that can be read"]


@given(st.integers(0, 2**32 - 1))
def test_no_damage_gets_through(tmp_path_factory, seed):
    """Whatever a damaged file is, it is shown as it is or named; nothing else is raised."""
    rng = np.random.default_rng(seed)
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)).save(out, format="PNG")
    data = np.frombuffer(out.getvalue(), np.uint8).copy()
    places = rng.integers(0, len(data), rng.integers(1, 20))
    data[places] = rng.integers(0, 256, len(places))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a-1.png").write_bytes(data[: rng.integers(0, len(data) + 1)].tobytes())
    found = read_album(folder)
    assert len(found.films) + len(found.problems) == 1


def test_a_picture_of_too_many_pixels_is_never_decoded(tmp_path, monkeypatch):
    Image.new("1", (20_000, 16)).save(tmp_path / "long-1.png")
    Image.new("1", (7_000, 7_000)).save(tmp_path / "large-1.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    found = read_album(tmp_path)
    assert found.films == {}
    assert found.problems == [
        "large-1.png: 7000 x 7000 pixels are too many",
        "long-1.png: 20000 x 16 pixels are too many",
    ]


def test_a_bomb_is_named(tmp_path, make_png):
    header = bytearray(make_png())
    header[16:24] = (60_000).to_bytes(4) * 2  # width and height
    (tmp_path / "bomb-1.png").write_bytes(header)
    assert read_album(tmp_path).problems == ["bomb-1.png: not a PNG that can be read"]


def test_only_pngs_are_opened(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a-1.png")
    assert read_album(tmp_path).problems == ["a-1.png: not a PNG that can be read"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a-1.png")
    (tmp_path / "b-1.png").symlink_to(tmp_path / "nowhere")
    assert read_album(tmp_path).problems == [
        "a-1.png: not a file of at most 50 MB",
        "b-1.png: not a file of at most 50 MB",
    ]


def test_there_is_an_end_to_series_and_stills(tmp_path, make_png):
    for i in range(8):
        (tmp_path / f"film{i}-1.png").write_bytes(make_png())
    for i in range(14):
        (tmp_path / f"still{i:02d}.png").write_bytes(make_png())
    (tmp_path / "step-1.png").write_bytes(make_png())
    found = read_album(tmp_path)
    assert list(found.films) == ["step", *(f"film{i}" for i in range(5))]
    assert len(found.stills) == 12
    assert found.problems == [
        "9 series in samples/: 6 of them are shown",
        "14 pictures in samples/: 12 of them are shown",
    ]
