"""The page: chapters with their formulas, and in each the examples with numbers and pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from minigan import __version__
from minigan.lecture.chapters import Chapter
from minigan.lecture.examples import Run
from minigan.lecture.markup import program_css, program_html, prose_html, theory_html
from minigan.train.webpage import block, data_uri, document

_INTRODUCTION = (
    "From the chain rule to generative adversarial networks: the theory in formulas, and beside it "
    "programs that compute what the formulas say. Every number and every picture on this page was "
    "made by the program shown with it."
)


def build_page(chapters: Sequence[Chapter], runs: Mapping[str, Run], *, smoke: bool = False) -> str:
    """Return the page as one HTML text; `runs` are looked up by the number of their example.

    A chapter's example that is not among the runs is left out.
    """
    body = "\n".join(_chapter(n, chapter, runs) for n, chapter in enumerate(chapters))
    return document(
        "minigan: the lecture",
        f"""<header>
<h1>Generative adversarial networks, from the chain rule up</h1>
<p class="lead">{escape(_INTRODUCTION)}</p>
{_failures(runs)}{_contents(chapters, runs)}
</header>
<main>
{body}
</main>
<footer>{escape(_colophon(runs, smoke))}</footer>""",
        style=f"{_style()}\n{program_css()}\n",
    )


def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def _contents(chapters: Sequence[Chapter], runs: Mapping[str, Run]) -> str:
    items = []
    for n, chapter in enumerate(chapters):
        links = "".join(
            f'<li><a href="#example-{number}">{escape(runs[number].example.title)}</a></li>'
            for number in chapter.numbers
            if number in runs
        )
        items.append(f'<li><a href="#chapter-{n}">{escape(chapter.title)}</a><ul>{links}</ul></li>')
    return f'<nav aria-label="Contents"><ul>{"".join(items)}</ul></nav>'


def _failures(runs: Mapping[str, Run]) -> str:
    failed = [
        f'<a href="#example-{n}">{escape(r.example.name)}</a>' for n, r in runs.items() if r.error
    ]
    return f'<p class="failed">Failed: {", ".join(failed)}</p>\n' if failed else ""


def _chapter(n: int, chapter: Chapter, runs: Mapping[str, Run]) -> str:
    parts = [
        theory_html(content) if kind == "text" else _example(runs[content])
        for kind, content in chapter.parts
        if kind == "text" or content in runs
    ]
    title = f"<h2>{escape(chapter.title)}</h2>"
    return f'<section id="chapter-{n}">\n{title}\n{"".join(parts)}</section>'


def _example(run: Run) -> str:
    example = run.example
    lines = len(example.program.splitlines())
    pictures = "".join(_picture(png, example.title) for png in run.pictures)
    return f"""<article id="example-{example.number}">
<p class="label">Example {example.number}, {run.seconds:.0f} s</p>
<h3>{escape(example.title)}</h3>
{prose_html(example.prose)}{_error(run)}{block("output", run.output)}{pictures}
<details>
<summary>The program: {escape(example.path.name)}, {lines} lines</summary>
<pre class="program" tabindex="0">{program_html(example.program)}</pre>
</details>
</article>
"""


def _error(run: Run) -> str:
    return f'<p class="failed">It failed.</p>{block("error", run.error)}' if run.error else ""


def _picture(png: bytes, title: str) -> str:
    """Return an image with its bytes inside, and its size so that nothing moves while it loads.

    A wide one keeps a readable size on a narrow screen, and scrolls there.
    """
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    kind = ' class="wide" tabindex="0"' if width > 1.5 * height else ""
    return (
        f'<figure{kind}><img src="{data_uri(png)}" width="{width}" height="{height}" '
        f'alt="The picture drawn by the example: {escape(title)}"></figure>'
    )


def _colophon(runs: Mapping[str, Run], smoke: bool) -> str:
    seconds = sum(run.seconds for run in runs.values())
    count = "1 example" if len(runs) == 1 else f"{len(runs)} examples"
    form = ", in short form (fewer steps, rougher numbers)" if smoke else ""
    return f"Made by minigan {__version__} from {count}, run in {seconds:.0f} s{form}."
