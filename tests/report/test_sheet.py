import pytest

from jinv.report.sheet import wrapped


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "0040_n01682714_American_chameleon",
            ["0040_", "n01682714_", "American_", "chameleon"],
        ),
        ("variation + experts", ["variation +", "experts"]),
        ("total-variation-first", ["total-", "variation-", "first"]),
        ("Rhinolophidae_sp", ["Rhinolophidae_", "sp"]),
        ("_a", ["_a"]),
        ("incomprehensibilities", ["incomprehensib", "ilities"]),
        ("one two three four five", ["one two three", "four five"]),
    ],
)
def test_names_are_broken_where_their_words_end(text, lines):
    assert wrapped(text, 9) == lines


def test_a_name_has_no_more_lines_than_fit():
    assert wrapped("one two three four five", 1) == ["one two three…"]
