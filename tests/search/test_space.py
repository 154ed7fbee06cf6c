import pytest

from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.presets import PRESETS
from jinv.search.grids import GRIDS
from jinv.search.space import Choice, Space, Span, parse_space


def parse(*words: str) -> Space:
    return parse_space(words, DeepInversion)


def test_a_range_has_the_type_of_its_field():
    assert parse("lr=0.05..0.4:log", "jitter=0..4").fields == (
        Span("lr", 0.05, 0.4, log=True),
        Span("jitter", 0, 4, whole=True),
    )


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("w_tv2=0.1,1e-3,1", [0.1, 0.001, 1.0]),
        ("steps=500/100,900", [(500, 100), (900,)]),
        ("betas=0.5/0.9,0/0.99", [(0.5, 0.9), (0.0, 0.99)]),
        ("clip=true,false", [True, False]),
        ("optimizer=adam,sgd", ["adam", "sgd"]),
    ],
)
def test_values_have_the_type_of_their_field(word, values):
    (field,) = parse(word).fields
    assert isinstance(field, Choice)
    assert list(field.options.values()) == values
    assert [type(value) for value in field.options.values()] == [*map(type, values)]


def test_a_space_says_itself_as_it_is_written():
    words = ("lr=0.05..0.4:log", "jitter=0..4", "steps=500/100,900")
    described = parse(*words).describe()
    assert tuple(f"{name}={values}" for name, values in described.items()) == words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to search"),
        (["w_tv=0.1,1"], "did you mean w_tv2 or w_tv1?"),
        (["lr"], "expected FIELD=LOW..HIGH"),
        (["lr=fast,slow"], "lr: expected a number over 0, found 'fast'"),
        (["lr=0.1,inf"], "lr: expected a number over 0, found 'inf'"),
        (
            ["jitter=1,2.5"],
            "jitter: expected a whole number from 0 to 2,147,483,647, found '2.5'",
        ),
        (["clip=0,1"], "clip: expected true or false, found '0'"),
        (
            ["optimizer=adam,lion"],
            "expected adam or sgd or adagrad or normalised, found 'lion'",
        ),
        (
            ["betas=0.5"],
            "betas: expected 2 numbers from 0 to below 1 with / between them",
        ),
        (["steps=5.5/2"], "2,147,483,647 with / between them, found '5.5/2'"),
        (["lr=0.4..0.1"], "a lower and a higher end"),
        (["w_tv2=0..0.1:log"], "must begin above 0"),
        (["lr=0..0.1"], "lr: expected a number over 0, found '0'"),
        (["lr=0.1..0.2:cubic"], "expected :log or nothing"),
        (["optimizer=adam..sgd"], "optimizer takes adam or sgd or adagrad"),
        (["lr=0.1,0.10"], "a value is given twice"),
        (["lr=0.1,0.2", "lr=0.3,0.4"], "lr is given twice"),
    ],
)
def test_what_cannot_be_read_is_explained(words, message):
    with pytest.raises(ConfigError) as error:
        parse(*words)
    assert message in str(error.value)


def test_a_configuration_inside_the_space_has_parameters():
    space = parse("lr=0.05..0.4", "steps=500/100,900")
    method = DeepInversion(lr=0.1, steps=(900,))
    params = space.params_of(method)
    assert params == {"lr": 0.1, "steps": "900"}
    assert space.settings_of(params) == {"lr": 0.1, "steps": (900,)}
    assert space.params_of(DeepInversion(lr=0.5, steps=(900,))) is None
    assert space.params_of(DeepInversion(lr=0.1, steps=(901,))) is None


def test_a_grid_has_every_combination_once():
    space = parse("lr=0.1,0.2", "w_tv2=1,2,3")
    points = space.points()
    assert len(points) == space.size == 6
    assert len({tuple(point.items()) for point in points}) == 6


def test_a_grid_needs_an_end():
    with pytest.raises(ConfigError, match="lr=0.1..0.2 is a range; give e.g. lr=0.1,0"):
        parse("w_tv2=1,2", "lr=0.1..0.2").points()


@pytest.mark.parametrize("grid", GRIDS.values())
def test_published_grids_can_be_read(grid):
    assert parse(*grid.over).size > 1
    assert grid.preset in PRESETS and grid.source
