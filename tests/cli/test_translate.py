import functools

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import minigan as mg
from minigan.cli import run
from minigan.data import from_bytes
from minigan.train import loop, translate
from minigan.train.pictures import to_bytes
from minigan.train.run_folder import RunFolder

TINY = ("--width=2", "--batch-size=2", "--eval-samples=0", "--preview-every=0", "--save-every=1")
OPTIONS = ("blocks=0", "layers=1", "shortcut=false", "ema=0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps, with a checkpoint of each."""
    out = tmp_path_factory.mktemp("runs")
    settings = [f"--set={option}" for option in OPTIONS]
    assert run(["train", "cyclegan", "--steps=2", f"--out={out}", *TINY, *settings]) == 0
    return out / "00000-cyclegan"


@pytest.fixture
def pictures(rng, tmp_path):
    """A folder of two pictures of odd sizes."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, shape in (("a.png", (9, 13, 3)), ("b.webp", (16, 16, 3))):
        pixels = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(folder / name, lossless=True)
    return folder


def opened(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def translated(capsys, *arguments):
    """Run the command, and return what it says: (last line of stdout, stderr)."""
    assert run(["translate", *map(str, arguments)]) == 0
    said, told = capsys.readouterr()
    return said.splitlines()[-1], told


def fails(capsys, *arguments, code=1):
    """Run the command, which must fail, and return the one line it says."""
    assert run(["translate", *map(str, arguments)]) == code
    said = capsys.readouterr().err
    assert said.startswith("minigan: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(("direction", "part"), [("a2b", "ab"), ("b2a", "ba")])
@pytest.mark.parametrize("at", ["last", "1"])
def test_a_picture_is_translated(trained, pictures, tmp_path, capsys, direction, part, at):
    source, target = pictures / "b.webp", tmp_path / "out.png"
    options = [f"--direction={direction}", f"--at={at}"]
    said = translated(capsys, trained, *options, source, target)
    step = 2 if at == "last" else 1
    what = f"1 picture of {source}, {direction} by the generator of step {step}"
    assert said == (f"{target}: {what}", "")
    sampler = loop.load_generator(RunFolder(trained), at=at)[0]
    image = from_bytes(opened(source)).transpose(2, 0, 1)[None]
    with mg.no_grad():
        expected = getattr(sampler, part)(mg.tensor(image)).numpy()[0]
    assert expected.std() > 0.01
    np.testing.assert_array_equal(opened(target), to_bytes(expected).transpose(1, 2, 0))


def test_a_folder_is_translated_and_what_is_none_is_told_of(trained, pictures, tmp_path, capsys):
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:90])
    out = tmp_path / "out"
    said, told = translated(capsys, trained, "--direction=a2b", pictures, out)
    assert said == f"{out}: 2 pictures of {pictures}, a2b by the generator of step 2"
    assert told == f"minigan: {pictures}: skipped 1 of 3: broken.png (damaged or cut)\n"
    assert {path.name: opened(path).shape for path in out.iterdir()} == {
        "a.png": (9, 13, 3),
        "b.png": (16, 16, 3),
    }
    translated(capsys, trained, "--direction=a2b", "--size=8", pictures, out)
    assert opened(out / "b.png").shape == (8, 8, 3)


def test_a_terminal_sees_a_bar(trained, pictures, tmp_path, capsys, monkeypatch):
    terminal = functools.partial(Console, force_terminal=True, force_interactive=True)
    monkeypatch.setattr("minigan.cli.translate.Console", terminal)
    out = tmp_path / "out"
    assert run(["translate", str(trained), "--direction=a2b", str(pictures), str(out)]) == 0
    said = capsys.readouterr().out
    assert "translating" in said
    assert "100%" in said


def test_translate_says_what_is_wrong(trained, pictures, tmp_path, capsys):
    file, out = pictures / "a.png", tmp_path / "out.png"
    a2b = "--direction=a2b"
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    for arguments, said in (
        ((tmp_path / "absent", a2b, file, out), "no run at"),
        ((pictures, a2b, file, out), "is not a run: it has no config.toml"),
        ((trained, a2b, tmp_path / "absent.png", out), "absent.png: no such file or folder"),
        ((trained, a2b, trained / "config.toml", out), "config.toml: not a PNG, JPEG or WebP"),
        ((trained, a2b, file, tmp_path / "out.jpg"), "must be a file that ends in .png"),
        ((trained, a2b, file, tmp_path / "absent" / "out.png"), "is no folder; make it first"),
        ((trained, a2b, pictures, tmp_path / "absent" / "out"), "is no folder; make it first"),
        ((trained, a2b, pictures, file), "must be a folder"),
        ((trained, a2b, file, file), "would be overwritten, and is to be read: give another OUT"),
        ((trained, a2b, pictures, pictures), "would be overwritten, and is to be read"),
        ((trained, a2b, "--at=soon", file, out), "--at is 'soon': must be last, best or a step"),
        ((trained, a2b, "--at=7", file, out), "no checkpoint of step 7"),
    ):
        assert said in fails(capsys, *arguments)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty: no files; expected PNG" in fails(capsys, trained, a2b, empty, tmp_path / "o")
    assert not out.exists()
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--direction=a2c"], "Invalid value for '--direction': "),
        ([], "Missing option '--direction'. Choose from: a2b, b2a"),
        (["--direction=a2b", "--size=0"], "Invalid value for '--size': "),
        (["--direction=a2b", "--size=5000"], "Invalid value for '--size': "),
    ],
)
def test_wrong_usage_gives_one_line(trained, pictures, tmp_path, capsys, options, said):
    assert said in fails(capsys, trained, *options, pictures, tmp_path / "out", code=2)


def test_a_run_that_translates_nothing_is_refused(pictures, tmp_path, capsys):
    options = ("--latent=3", "--batch-size=4", "--width=2", "--eval-samples=0", "--preview-every=0")
    assert run(["train", "digits", "--steps=1", f"--out={tmp_path}", *options]) == 0
    digits, out = tmp_path / "00000-digits", tmp_path / "out"
    said = fails(capsys, digits, "--direction=a2b", pictures, out)
    assert "this run's DCGANGenerator translates no pictures" in said
    assert not out.exists()


def test_ctrl_c_leaves_whole_pictures(trained, pictures, tmp_path, capsys, monkeypatch):
    read, asked = translate.read_picture, []

    def interrupted(path, **options):
        asked.append(path)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return read(path, **options)

    monkeypatch.setattr(translate, "read_picture", interrupted)
    said = fails(capsys, trained, "--direction=a2b", pictures, tmp_path / "out", code=130)
    assert said == "minigan: interrupted\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert opened(tmp_path / "out" / "a.png").shape == (9, 13, 3)
