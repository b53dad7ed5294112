import dataclasses

import pytest

from minigan.train.errors import ConfigError
from minigan.train.options import check, describe_range, option, parse


@dataclasses.dataclass
class Options:
    count: int = option(3, "how many", low=1, high=10**40)
    share: float = option(0.5, "how much", above=0, below=1)
    switch: bool = option(False, "whether", decisive=False)
    kind: str = option("blue", "which", choices=("blue", "green"))
    place: str = option("here", "where")


FIELDS = {field.name: field for field in dataclasses.fields(Options)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("count", "-7", -7),
        ("share", "1e-3", 0.001),
        ("share", "1", 1.0),
        ("switch", "true", True),
        ("switch", "Off", False),
        ("kind", "green", "green"),
        ("place", "a = b", "a = b"),
    ],
)
def test_a_text_becomes_a_value_of_the_fields_type(name, text, value):
    parsed = parse(FIELDS[name], text)
    assert parsed == value
    assert type(parsed) is type(FIELDS[name].default)


@pytest.mark.parametrize(
    ("name", "text", "meaning"),
    [
        ("count", "many", "--count is 'many': must be a whole number"),
        ("count", "1e3", "--count is '1e3': must be a whole number"),
        ("count", "1_000", "must be a whole number"),
        ("count", "٣", "must be a whole number"),
        ("count", "9" * 5000, f"--count is '{'9' * 40}': must be a whole number"),
        ("share", "half", "--share is 'half': must be a number"),
        ("switch", "1", "--switch is '1': must be true or false"),
    ],
)
def test_a_text_that_is_no_such_value_gives_one_line(name, text, meaning):
    with pytest.raises(ConfigError, match=meaning) as caught:
        parse(FIELDS[name], text)
    assert "\n" not in str(caught.value)


def test_a_choice_is_refused_with_the_nearest():
    message = "^--kind is 'gren': must be blue or green; did you mean 'green'\\?$"
    with pytest.raises(ConfigError, match=message):
        check(FIELDS["kind"], "gren")
    with pytest.raises(ConfigError, match="must be blue or green$"):
        check(FIELDS["kind"], "xyz")


def test_any_text_will_do_where_nothing_else_is_said():
    check(FIELDS["place"], "anywhere")
    assert describe_range(FIELDS["place"]) == "any text"


def test_a_range_of_open_and_closed_ends_loses_none():
    limits = {"low": 0, "high": 9, "above": -1, "below": 10, "choices": ()}
    field = dataclasses.field(default=1, metadata=limits)
    assert describe_range(field) == "at least 0 and above -1 and at most 9 and below 10"
