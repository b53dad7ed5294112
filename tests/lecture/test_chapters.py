import re
from pathlib import Path

import pytest

from minigan.lecture.chapters import only, parse, read_chapters
from minigan.lecture.examples import LectureError, find_examples

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_chapter_is_texts_and_examples_in_turn():
    text = "# T\n\na\n\n[Example 02](../02_x.py)\n[three](../03_y.py)\n\nb [02](../02_x.py) c\n"
    assert parse(text).parts == (
        ("text", "a"),
        ("example", "02"),
        ("example", "03"),
        ("text", "b [02](../02_x.py) c"),
    )


def test_a_chapter_has_a_title():
    with pytest.raises(LectureError, match='mine must open with a title, "# ..."'):
        parse("text", "mine")


def test_no_theory_is_one_line(tmp_path):
    with pytest.raises(LectureError, match="no theory in .*lecture: it comes with the examples"):
        read_chapters(tmp_path)


def test_only_the_chapters_of_the_chosen_examples():
    one, two = parse("# 1\n\n[a](../01_a.py)\n"), parse("# 2\n\n[b](../02_b.py)\n")
    assert list(only([one, two], ["02"])) == [two]
    assert list(only([one, two], ["01", "02"])) == [one, two]


def test_an_example_that_no_chapter_names_comes_last():
    one = parse("# 1\n\n[a](../01_a.py)\n")
    last = list(only([one], ["01", "07", "08"]))[-1]
    assert (last.title, last.numbers) == ("More examples", ["07", "08"])


class TestTheLecture:
    def test_its_chapters_are_in_order(self):
        titles = [chapter.title for chapter in read_chapters(EXAMPLES)]
        assert [title[:3] for title in titles] == [f"{n}. " for n in range(len(titles))]
        assert len(titles) >= 5

    def test_every_example_has_one_place(self):
        placed = [n for chapter in read_chapters(EXAMPLES) for n in chapter.numbers]
        assert len(placed) == len(set(placed))
        assert {example.number for example in find_examples(EXAMPLES)} <= set(placed)

    def test_links_to_examples_are_right(self):
        names = {example.path.name for example in find_examples(EXAMPLES)}
        texts = [p.read_text(encoding="utf-8") for p in (EXAMPLES / "lecture").glob("*.md")]
        links = re.findall(r"\]\(\.\./(.*?)\)", "".join(texts))
        assert len(links) >= len(names)
        assert set(links) == names
