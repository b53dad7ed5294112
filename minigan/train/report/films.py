"""Films and stills as HTML: all frames of a film are in the page, and one of them is seen.

Without a script that is the last one. The script shows the controls and turns the frames.
"""

from __future__ import annotations

from minigan.train.report.album import Film, Picture
from minigan.train.report.charts import step_text
from minigan.train.webpage import text_html

_SMALL = 300  # pixels: a narrower picture is enlarged by whole pixels


def film_html(film: Film, caption: str) -> str:
    """Return the pictures of a film, a slider if there are several, and the caption."""
    last = len(film.frames) - 1
    frames = "".join(
        _image(picture, f"{caption}, step {step_text(step)}", step=step, hidden=i != last)
        for i, (step, picture) in enumerate(film.frames)
    )
    note = text_html(f"{caption}. {_about(film)}")
    return f"""<figure class="film" data-film="{text_html(film.name)}">
<div class="frames">{frames}</div>
{_controls(last) if last else ""}<figcaption><b>step \
<output>{step_text(film.frames[-1][0])}</output></b> <span class="note">{note}</span></figcaption>
</figure>
"""


def still_html(picture: Picture, caption: str) -> str:
    """Return one picture with its caption."""
    note = text_html(f"{caption}.{' Reduced; samples/ has it whole.' * picture.smaller}")
    return f"""<figure class="still"><div class="frames">{_image(picture, caption)}</div>
<figcaption><span class="note">{note}</span></figcaption></figure>
"""


def _controls(last: int) -> str:
    return f"""<div class="controls" hidden>
<button type="button" class="play">Play</button>
<input type="range" min="0" max="{last}" step="1" value="{last}" aria-label="Time">
</div>
"""


def _about(film: Film) -> str:
    """Say what is not shown, or not as it is."""
    shown, notes = len(film.frames), []
    if shown < film.found:
        notes.append(f"{shown} of {film.found} pictures are on this page, evenly chosen.")
    smaller = sum(picture.smaller for _, picture in film.frames)
    if smaller:
        notes.append(f"{smaller} are reduced to keep the page small; samples/ has them whole.")
    return " ".join(notes)


def _image(picture: Picture, alt: str, *, step: int | None = None, hidden: bool = False) -> str:
    """Return an image with its bytes inside, and its size so that nothing moves while it loads."""
    kind = ' class="small"' if picture.width < _SMALL else ""
    data = f' data-step="{step}"' if step is not None else ""
    return (
        f'<img{kind}{data} src="{picture.uri}" width="{picture.width}" height="{picture.height}" '
        f'alt="{text_html(alt)}" decoding="sync"{" hidden" * hidden}>'
    )
