import io
from pathlib import Path

import pytest
from PIL import Image

from minigan.lecture import examples
from minigan.lecture.examples import LectureError, choose, find_examples, find_folder, run

ROOT = Path(__file__).parents[2]


def test_examples_are_found_by_their_numbers(folder):
    first, second = find_examples(folder)
    assert (first.number, first.name, first.title) == ("01", "01_sums", "Sums and <tags>")
    assert first.prose.startswith("The *sum*")
    assert first.prose.endswith("`python examples/01_sums.py`.")
    assert first.program.startswith("import argparse\n")
    assert first.program.endswith('print(f"picture: {picture}")')
    assert second.name == "02_fails"


def test_those_of_the_checkout_are_found():
    assert find_folder() == ROOT / "examples"
    names = [example.name for example in find_examples(find_folder())]
    assert names[:2] == ["01_scalar_backprop", "02_double_backward"]
    assert "10_vae_beside_gan" in names


def test_without_a_checkout_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "_HOUSE", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LectureError, match="no examples in .*: they come with a checkout") as e:
        find_folder()
    assert "\n" not in str(e.value)


def test_the_folder_of_where_we_are_will_do(folder, monkeypatch):
    monkeypatch.setattr(examples, "_HOUSE", folder)
    monkeypatch.chdir(folder.parent)
    assert find_folder().absolute() == folder


@pytest.mark.parametrize("name", ["1", "01", "sums", "01_sums", "01_sums.py"])
def test_an_example_has_several_names(folder, name):
    assert choose(find_examples(folder), name).name == "01_sums"


def test_an_unknown_name_gets_the_nearest(folder):
    with pytest.raises(LectureError, match="no example is called 'sumz': .*; did you mean sums?"):
        choose(find_examples(folder), "sumz")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", r'must open with the prose "03\. Title'),
        ('"""04. Another number."""', r'must open with the prose "03\. Title'),
        ("def", "line 1: invalid syntax"),
    ],
)
def test_an_example_in_another_form_is_named(folder, source, message):
    (folder / "03_new.py").write_text(source)
    with pytest.raises(LectureError, match=f"03_new.py.*{message}"):
        find_examples(folder)


def test_a_run_keeps_output_and_pictures(folder):
    done = run(find_examples(folder)[0], smoke=True)
    assert done.output == "1 + 1 = 2 & 1 < 2 smoke Agg\nä ‖"
    assert done.error == ""
    assert done.seconds > 0
    (picture,) = done.pictures
    assert Image.open(io.BytesIO(picture)).size == (700, 3)
    assert "in full" in run(find_examples(folder)[0]).output


def test_a_failure_is_kept_with_what_was_printed(folder):
    done = run(find_examples(folder)[1])
    assert done.output == "1.0"
    assert done.error.endswith("ZeroDivisionError: division by zero")


def test_a_silent_failure_is_a_failure(folder):
    (folder / "03_quits.py").write_text('"""03. Quits."""\nraise SystemExit(3)')
    assert run(find_examples(folder)[2]).error == "it ended with exit code 3 and said nothing"
