"""What can go wrong in a run, each with one line for the user; the command line adds nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TrainError(Exception):
    """A problem the user can solve; its text is one line that says what and how."""


class ConfigError(TrainError):
    """An option out of range, an unknown one, or a config file that cannot be read."""


class RunError(TrainError):
    """A run folder that is missing, unwritable or not a run."""


class CheckpointError(TrainError):
    """A checkpoint that is missing, damaged or of another network."""


class Diverged(TrainError):
    """A loss or a parameter became NaN or infinite."""


class Stopped(TrainError):
    """Ctrl-C ended the work early; what was done is saved."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at what may have been meant, to be put behind a message; "" where nothing is.

    >>> nearest("stepz", ["seed", "steps"])
    "; did you mean 'steps'?"
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
