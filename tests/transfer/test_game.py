"""Games: a generator plays on against the student that learns from its images."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv import losses
from jinv.engine.lesson import Learner
from jinv.engine.phase import Context, Split
from jinv.engine.placement import make_placement
from jinv.errors import ConfigError, Interrupted
from jinv.inversion.dafl import DAFL
from jinv.inversion.dfad import DFAD
from jinv.inversion.fast import FastGenerators
from jinv.models.loading import make_classifier
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.distillations import find_distillation
from jinv.transfer.game import Game

SMALL = {"latent": 8, "channels": 4}
CONFIG = DistillConfig(
    steps=4, round_steps=2, batch_size=6, match="l1", w_hints=0, max_norm=0,
    margin=0, flip=False, collage=0, precision="float32",
)  # fmt: skip


@pytest.fixture(scope="module")
def student(tiny):
    return make_classifier(tiny.spec, 1)


@pytest.fixture(scope="module")
def played(tiny, student):
    """What is known before the turns of a round and after each, and what they told."""
    method = DFAD(**SMALL)
    game = Game(method, CONFIG, turns=2)
    lesson = game.lesson(tiny, student, CONFIG)
    learner = Learner(lesson, make_placement("jit", 1, CONFIG.batch_size))
    known, told = [learner.begin()], []
    turns = list(game.batches(0, 0, CONFIG))
    for number, turn in enumerate(turns):
        kept = jax.tree.map(np.array, known[-1])
        after, seen = learner.step(known[-1], turn, number)
        known[-1] = kept
        known.append(after)
        told.append({name: value and float(value) for name, value in seen.items()})
    assert [turn.generators for turn in turns] == [False, False, True]
    return lesson, known, told


def same(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def images(tiny, weights, number):
    """Images of a step, and the key of what else is random in it."""
    key = jax.random.fold_in(jax.random.key(CONFIG.seed), number)
    key, rest = jax.random.split(key)
    image = DFAD(**SMALL).procedure(tiny).phases[0].image
    index = jnp.arange(CONFIG.batch_size)
    own = image.init(key, index).own
    context = Context({}, {}, index, rest, lambda tree: tree)
    return image.render(Split(own, weights), context), rest


def test_only_whose_turn_it_is_moves(played):
    _, known, _ = played
    for before, after in ((known[0], known[1]), (known[1], known[2])):
        assert same(before.trained["generator"], after.trained["generator"])
        assert not same(before.trained["student"], after.trained["student"])
        assert not same(before.state, after.state)
    before, after = known[2:]
    assert same(before.trained["student"], after.trained["student"])
    assert same(before.state, after.state)
    assert not same(before.trained["generator"], after.trained["generator"])
    # Momentum rests as well: of the arrays that optimisers keep, only Adam's move.
    moved = [
        path
        for (path, one), other in zip(
            jax.tree_util.tree_leaves_with_path(before.optimizer),
            jax.tree.leaves(after.optimizer),
            strict=True,
        )
        if np.ndim(one) and not np.array_equal(one, other)
    ]
    assert moved and all("generator" in jax.tree_util.keystr(path) for path in moved)


def test_every_batch_is_as_bright_and_as_varied_as_photographs(played, tiny):
    _, known, _ = played
    weights = jax.tree.map(np.array, known[0].trained["generator"])
    # However far the generator goes to one side.
    weights["params"]["colours"]["bias"][:] = 1, -1, 0
    inputs = np.asarray(images(tiny, weights, 0)[0])
    np.testing.assert_allclose(inputs.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(inputs.var((0, 1, 2)), 1, rtol=2e-2)


def test_the_student_learns_the_logits_of_fresh_images(played, tiny, student):
    _, known, told = played
    for number in (0, 1):
        before = known[number]
        inputs, _ = images(tiny, before.trained["generator"], number)
        variables = {"params": before.trained["student"], "batch_stats": before.state}
        answers, _ = student.training(variables, inputs, jax.random.key(0))
        wanted = tiny.logits(tiny.variables, inputs)
        loss = float(losses.logit_l1(wanted, answers).mean())
        assert told[number]["loss"] == pytest.approx(loss, rel=1e-4)
        assert "generator" not in told[number]


def test_the_generator_goes_where_the_student_now_differs(played, tiny, student):
    _, known, told = played
    before, after = known[2:]
    variables = {"params": before.trained["student"], "batch_stats": before.state}

    @jax.jit
    @jax.value_and_grad
    def objective(weights):
        inputs, rest = images(tiny, weights, 2)
        answers, _ = student.training(variables, inputs, rest)
        return -jnp.abs(tiny.logits(tiny.variables, inputs) - answers).mean()

    loss, gradient = objective(before.trained["generator"])
    assert told[2]["generator"] == pytest.approx(float(loss), rel=1e-4)
    assert told[2]["loss"] is None
    # The first step of Adam is as long as the rate, against the gradient.
    for way, new, old in zip(
        jax.tree.leaves(gradient),
        jax.tree.leaves(after.trained["generator"]),
        jax.tree.leaves(before.trained["generator"]),
        strict=True,
    ):
        clear = np.abs(way) > 1e-4
        np.testing.assert_allclose(
            (new - old)[clear], -1e-3 * np.sign(way)[clear], rtol=0.02
        )


@pytest.mark.parametrize(
    ("kind", "rates"), [(DFAD, [1, 0.75, 0.25]), (DAFL, [1, 1, 1])]
)
def test_a_generator_that_plays_against_the_student_slows_as_it_does(
    tiny, student, kind, rates
):
    config, method = replace(CONFIG, steps=6), kind(**SMALL)
    lesson = Game(method, config, turns=2).lesson(tiny, student, config)
    always = jax.tree.map(jnp.ones_like, lesson.trained)
    state, moved = lesson.optimizer.init(lesson.trained), []
    for _ in range(9):
        updates, state = lesson.optimizer.update(always, state, lesson.trained)
        moved.append(-updates["generator"]["params"]["colours"]["bias"][0])
    # Adam's steps along a constant gradient are as long as the rate.
    np.testing.assert_allclose(
        moved, np.ravel([[0, 0, rate] for rate in rates]) * method.lr, rtol=1e-4
    )


BRIEF = {
    "steps": 4, "round_steps": 2, "batch_size": 6, "synthesis": SMALL, "turns": 1,
}  # fmt: skip


def test_a_game_goes_on_where_it_was_stopped(tiny, student, stripes, tmp_path):
    whole = jinv.distill(
        tiny, student, tmp_path / "a", test=stripes[1], preset="dafl", **BRIEF
    )
    asked = iter(range(100))
    with pytest.raises(Interrupted):
        jinv.distill(
            tiny,
            student,
            tmp_path / "b",
            test=stripes[1],
            preset="dafl",
            should_stop=lambda: next(asked) == 2,
            **BRIEF,
        )
    again = jinv.distill(
        tiny, student, tmp_path / "b", test=stripes[1], preset="dafl", **BRIEF
    )
    assert again.path.read_bytes() == whole.path.read_bytes()
    card = json.loads(whole.path.with_suffix(".json").read_text())
    assert card["images"]["method"] == "DAFL" and card["images"]["turns"] == 1
    assert card["budget"]["images"] == card["budget"]["image_passes"] == 24
    rows = (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["images"] for row in rows] == [12, 24]
    assert "generator" in rows[0]
    assert (tmp_path / "a" / "index.html").is_file()


def test_published_games():
    dafl, dfad = map(find_distillation, ("dafl", "dfad"))
    assert isinstance(dafl.method, DAFL) and isinstance(dfad.method, DFAD)
    assert (dafl.turns, dafl.config.batch_size, dafl.method.lr) == (1, 1024, 0.02)
    assert (dfad.turns, dfad.config.match, dfad.method.latent) == (5, "l1", 256)
    for way in (dafl, dfad):
        assert way.config.steps % way.config.round_steps == 0
        Game(way.method, way.config, way.turns)


def test_what_is_no_game_is_refused(tiny, student, stripes, tmp_path):
    with pytest.raises(ConfigError, match="FastGenerators makes images batch by batch"):
        Game(FastGenerators(), CONFIG, 1)
    with pytest.raises(ConfigError, match="whole turns of 3 updates, e.g. 3"):
        Game(DFAD(), CONFIG, 3)
    once = replace(find_distillation("dfad").config, steps=128).whole()
    with pytest.raises(ConfigError, match="^steps 128: .* 5 updates, e.g. 125 or 130"):
        Game(DFAD(), once, 5)
    for given, message in (
        ({"preset": "dfad", "images_at_once": 4}, "images_at_once is for a pool"),
        ({"preset": "dfad", "start": stripes[0]}, "start is for a pool"),
        ({"turns": 2}, "turns is for games"),
        ({"data": stripes[0], "synthesis": {"w_bn": 1}}, "and data are given"),
    ):
        with pytest.raises(ConfigError, match=message):
            jinv.distill(tiny, student, tmp_path / "no", **given)
    assert not (tmp_path / "no").exists()
    assert replace(CONFIG, steps=2).rounds == 1
