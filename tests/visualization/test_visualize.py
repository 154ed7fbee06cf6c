"""Units, classes, directions, dreams and caricatures of a small network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER
from jinv.engine.state import give, initial_state
from jinv.engine.step import make_step
from jinv.errors import ConfigError, Interrupted
from jinv.images.noise import draw_normal
from jinv.levels import to_uint8
from jinv.losses import gram_similarity
from jinv.models.response import Response
from jinv.report.run_folder import RunFolder
from jinv.visualization.dreams import Caricature, DeepDream
from jinv.visualization.make_job import make_visualization
from jinv.visualization.presets import VISUALIZATIONS
from jinv.visualization.visualization import Visualization

ONE = Execution(devices=1)
STILL = {"factors": (), "angles": (), "init_scale": 1.0, "execution": ONE}
"""No random transforms: images do not depend on how they are put in batches. And noise
of some contrast: in grey the last layer of the small network sees nothing at all."""
PHOTOGRAPHS = np.random.default_rng(0).integers(0, 256, (2, 16, 12, 3), np.uint8)


def visualize(tiny, *units, **options):
    return jinv.visualize(tiny, units, **{**STILL, "steps": 40, **options})


def excitation(found):
    return found.job.request.excitation(to_uint8(found.images))


@pytest.fixture(scope="module")
def eight(tiny):
    """An image for each channel of a layer."""
    return visualize(tiny, "stage2:0-7")


def test_each_unit_is_excited_by_its_image_more_than_by_any_other(eight):
    values = excitation(eight)
    np.testing.assert_array_equal(values.argmax(1), range(8))
    assert eight.names == [f"stage2_{number}" for number in range(8)]
    assert 0 <= eight.images.min() < 0.2 and 0.8 < eight.images.max() <= 1


def test_a_position_is_as_far_down_and_across_in_every_octave(tiny):
    options = {"octaves": 2, "octave_scale": 2.0, "steps": 1}
    job = make_visualization(tiny, "stage1:1@6,3", **STILL | options)
    whole = tiny.feature_shapes["stage1"][0]
    small = np.zeros((1, whole // 2, whole // 2, 4), np.float32)
    small[0, 3, 1, 1] = 5
    term = job.method.objective(tiny)

    class Seen:
        seen = {TEACHER: Response(None, {}, {"stage1": jnp.asarray(small)})}
        asked = jax.tree.map(jnp.asarray, job.request.ask(np.zeros(1, int)))
        batch_mean = batch_sum = staticmethod(lambda values: jnp.mean(values, 0))

    assert float(term.value(Seen())) == -5


def test_what_the_page_says_of_activations_is_what_the_network_says(tiny, eight):
    images = to_uint8(eight.images)
    seen = np.asarray(tiny.features(tiny.variables, tiny.inputs_of(images))["stage2"])
    np.testing.assert_allclose(excitation(eight), seen.mean((1, 2)).T, atol=1e-4)


def test_units_are_data_of_a_program_that_all_share(tiny, eight):
    again = visualize(tiny, "stage2:7,5,3,1", "stage2:0,2,4,6@centre")
    assert again.outcome.compiling == 0
    other = visualize(tiny, *(f"stage2:{n}@{n // 4},{n % 4}" for n in range(8)))
    assert other.outcome.compiling == 0


def test_a_unit_knows_nothing_of_others_in_its_batch(tiny, eight):
    alone = visualize(tiny, "stage2:0-7", batch_size=2, lr=0.05)
    np.testing.assert_allclose(alone.images, eight.images, atol=2e-3)


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_two_devices_make_the_images_of_one(tiny, eight, parallel):
    both = visualize(
        tiny, "stage2:0-7", execution=Execution(devices=2, parallel=parallel)
    )
    np.testing.assert_allclose(both.images, eight.images, atol=2e-3)


def test_units_that_see_nothing_in_noise_are_woken(tiny):
    """Behind a nonlinearity no gradient leads to them."""

    def asleep(steps, **options):
        found = visualize(tiny, "stage2:0-7", init_scale=0.2, steps=steps, **options)
        return (np.diagonal(excitation(found)) == 0).sum()

    assert 0 < asleep(1, lr=1e-6) < 8
    assert asleep(40) == 0


def test_a_unit_at_a_position_is_excited_there(tiny):
    found = visualize(tiny, "stage2:3@0,0", "stage2:3@3,3", "stage2:3")
    seen = tiny.features(tiny.variables, tiny.inputs_of(to_uint8(found.images)))
    unit = np.asarray(seen["stage2"])[..., 3]
    assert unit[:, 0, 0].argmax() == 0 and unit[:, 3, 3].argmax() == 1
    assert unit.mean((1, 2)).argmax() == 2
    np.testing.assert_allclose(
        excitation(found), [unit[:, 0, 0], unit[:, 3, 3], unit.mean((1, 2))], atol=1e-4
    )


def test_classes_and_directions_go_with_units(tiny):
    direction = np.eye(8, dtype=np.float32)[5]
    found = visualize(
        tiny,
        "stage2:5",
        "stage1:0-1",
        classes="cat,boat",
        directions={"probe": direction, "pair": np.stack([direction, -direction])},
        layers="stage2",
    )
    assert found.names == [
        "stage2_5", "stage1_0", "stage1_1", "cat", "boat", "probe", "pair_0", "pair_1",
    ]  # fmt: skip
    assert found.job.method.layers == ("stage2", "stage1", "logits")
    logits = tiny.logits(tiny.variables, tiny.inputs_of(to_uint8(found.images)))
    assert np.asarray(logits)[:, [2, 1]].argmax(0).tolist() == [3, 4]
    values = excitation(found)
    np.testing.assert_allclose(values[0], values[5], rtol=1e-5)
    np.testing.assert_allclose(values[0], -values[7], rtol=1e-5)
    assert values[0, 5] > values[0, 1:5].max()


def test_images_may_start_from_a_photograph_and_have_its_size(tiny):
    start = PHOTOGRAPHS[:1]
    found = visualize(tiny, "stage2:2-3", start=start, steps=1, lr=1e-6, init_scale=0)
    assert found.images.shape == (2, 16, 12, 3)
    np.testing.assert_allclose(to_uint8(found.images), start.repeat(2, 0), atol=3)
    more = visualize(tiny, "stage2:2-3", start=start)
    now, then = (np.diagonal(excitation(each)) for each in (more, found))
    assert (now > then).all()


def test_a_dream_is_a_photograph_with_more_of_what_a_layer_sees(tiny):
    options = {"roll": 1, "steps": 6, "octaves": 2, "execution": ONE}
    found = jinv.visualize(tiny, layers="stage2", start=PHOTOGRAPHS, **options)
    assert found.images.shape == PHOTOGRAPHS.shape
    assert isinstance(found.job.method, DeepDream)
    request = found.job.request
    before = request.excitation(PHOTOGRAPHS)[0]
    after = request.excitation(to_uint8(found.images))[0]
    assert (after > 1.2 * before).all()
    apart = abs(found.images - PHOTOGRAPHS / 255)
    assert 0.005 < apart.mean() < 0.3
    sizes = {phase.image.init(jax.random.key(0), jnp.arange(2)).own.shape[1:3]
             for phase in found.job.procedure.phases}  # fmt: skip
    assert sizes == {(11, 9), (16, 12)}


def test_a_step_of_deepdream_is_the_published_one(tiny):
    """x + 1.5 g / mean |g|, in levels; cut to what can be shown."""
    options = {"roll": 0, "steps": 1, "octaves": 1, "execution": ONE}
    start = PHOTOGRAPHS[:1] / np.float32(255)
    found = jinv.visualize(tiny, layers="stage2", start=PHOTOGRAPHS[:1], **options)

    def norm(image):
        features = tiny.features(tiny.variables, tiny.normalise(image))["stage2"]
        return jnp.square(features).mean() / 2

    gradient = np.asarray(jax.jit(jax.grad(norm))(start))
    step = 1.5 / 255 * gradient / abs(gradient).mean()
    np.testing.assert_allclose(found.images, np.clip(start + step, 0, 1), atol=1e-4)


def test_a_step_of_lucid_is_the_published_one(tiny):
    """Adam by 0.05, on spectra of 0.01 divided by frequency, of its own colours."""
    colours = np.array([[0.26, 0.27, 0.27], [0.09, 0, -0.09], [0.02, -0.05, 0.03]])
    colours /= np.linalg.norm(colours, axis=1).max()
    frequency = np.hypot(np.fft.fftfreq(8)[:, None], np.fft.fftfreq(8))
    # The library's waves have a norm of root 2, and are divided by 4.
    scale = np.sqrt(2) / 4 / np.maximum(frequency, 1 / 8)

    @jax.jit
    def image(spectrum):
        waves = jnp.fft.fft2(scale[..., None] * spectrum, axes=(0, 1), norm="ortho")
        return jax.nn.sigmoid((waves.real - waves.imag) @ colours)

    def logit(spectrum):
        inputs = tiny.normalise(image(spectrum)[None])
        return tiny.logits(tiny.variables, inputs)[0, 2]

    start = 0.01 * draw_normal(jax.random.key(0), jnp.arange(1), (8, 8, 3))[0]
    gradient = jax.jit(jax.grad(logit))(start)
    after = start + 0.05 * gradient / (abs(gradient) + 1e-8)
    plain = {"margin": 0, "shifts": (0, 0), "factors": (), "angles": ()}
    found = jinv.visualize(
        tiny, classes="cat", preset="lucid", steps=1, execution=ONE, **plain
    )
    np.testing.assert_allclose(found.images[0], image(after), atol=1e-4)


def test_a_caricature_has_more_of_what_a_layer_sees_in_a_photograph(tiny, stripes):
    photographs = stripes[0].images[:3]
    options = {**STILL, "layers": "stage2", "caricature": photographs}
    found = jinv.visualize(tiny, steps=60, names=["a", "b", "c"], **options)
    assert isinstance(found.job.method, Caricature) and found.names == ["a", "b", "c"]
    values = excitation(found)
    np.testing.assert_array_equal(values.argmax(1), range(3))
    assert (np.diagonal(values) > 1).all()
    options |= {"init_scale": 0.0, "lr": 1e-6}
    still = jinv.visualize(tiny, steps=1, start=photographs, **options)
    np.testing.assert_allclose(np.diagonal(excitation(still)), 1, atol=0.05)


def test_diverse_images_of_a_unit_differ_more(tiny):
    def similarity(**options):
        found = visualize(tiny, "stage2:1,6", per_unit=3, **options)
        assert found.names == ["stage2_1"] * 3 + ["stage2_6"] * 3
        rows, titles = found.job.request.rows_of(range(6), np.zeros(0))
        assert rows == [0, 0, 0, 1, 1, 1] and titles == ("stage2_1", "stage2_6")
        inputs = tiny.inputs_of(found.images)
        features = tiny.features(tiny.variables, inputs)["stage2"]
        return float(jax.jit(gram_similarity, static_argnums=1)(features, 3).mean())

    assert similarity(w_diversity=2.0) < similarity() - 0.02


def test_layers_above_the_deepest_are_not_computed(tiny):
    def operations(layer):
        job = make_visualization(tiny, f"{layer}:0", **STILL)
        (phase,) = job.procedure.phases
        key, numbers = jax.random.key(0), np.arange(1)
        cast, asked = {TEACHER: tiny.variables}, job.request.asked(numbers)
        read = give(cast, asked, job.numbers, numbers, key, key)
        state = initial_state(phase, phase.image.init(key, numbers), job.numbers)
        step = jax.jit(make_step({TEACHER: tiny}, phase))
        return step.lower(state, read).compile().cost_analysis()["flops"]

    assert operations("stage1") < 0.75 * operations("stage2")


@pytest.fixture
def job(tiny):
    execution = Execution(devices=1, log_every=1, checkpoint_every=2)
    return make_visualization(
        tiny, "stage2:0-5@centre", steps=4, octaves=2, batch_size=2,
        size=(12, 10), execution=execution,
    )  # fmt: skip


def carry_out(job, path, should_stop=lambda: False):
    with RunFolder(path, job) as folder:
        missing = folder.missing()
        job.run(folder.on_event, should_stop, folder.checkpoints, True, numbers=missing)
        return folder.finish("finished", 1.0, None, None, {})


def test_a_run_that_was_stopped_goes_on_to_the_same_images(job, tmp_path):
    summary = carry_out(job, tmp_path / "whole")
    assert summary["images"] == 6 and len(summary["excitation"]["images"]) == 6
    # In the second octave of the second batch.
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        carry_out(job, tmp_path / "run", lambda: next(steps) == 13)
    carry_out(job, tmp_path / "run")
    whole, run = (
        {p.name: p.read_bytes() for p in (tmp_path / name / "images").iterdir()}
        for name in ("whole", "run")
    )
    assert whole == run and len(whole) == 6
    assert sorted(whole)[0] == "00000_stage2_0-3-2.png"


def test_presets_name_their_source_and_shrink_to_small_networks(tiny):
    kinds = {type(preset.method) for preset in VISUALIZATIONS.values()}
    assert kinds == {Visualization, DeepDream, Caricature}
    for preset in VISUALIZATIONS.values():
        assert preset.source and preset.expected
        fitted = preset.fitted(tiny.spec)
        assert fitted.margin <= 1 and max(fitted.shifts) <= 1


def test_the_preset_lucid_is_that_of_the_library():
    lucid = VISUALIZATIONS["lucid"].method
    assert (lucid.optimizer, lucid.lr, lucid.steps) == ("adam", 0.05, 512)
    assert (lucid.margin, lucid.shifts, lucid.per) == (12, (8, 4), "batch")
    assert (lucid.init_scale, lucid.fourier_decay) == (0.01, 1.0)


def test_a_network_for_grey_images_is_excited_by_grey_ones():
    network = jinv.make_classifier(jinv.classifier_spec("mnist_fc"))
    found = jinv.visualize(network, classes=[3, 7], steps=3, execution=ONE)
    assert found.images.shape == (2, 28, 28, 1) and found.names == ["3", "7"]


WRONG = {
    "nothing": ({}, r"give units \(LAYER:CHANNEL\), .*jinv models tiny"),
    "an unknown layer": ({"units": "stge2:0"}, "did you mean stage2"),
    "an unknown class": ({"classes": "cta"}, "did you mean cat"),
    "a random class": ({"classes": "random"}, "drawn at random is no unit"),
    "no units": ({"units": " "}, "no units were given"),
    "directions without a layer": ({"directions": np.ones(8)}, "one layer, 0 were"),
    "directions of two layers": (
        {"directions": np.ones(8), "layers": "stage1,stage2"},
        "one layer, 2 were given",
    ),
    "layers of units": (
        {"units": "stage2:0", "layers": "stage2"},
        "leave stage2 out",
    ),
    "units and caricatures": (
        {"units": "stage2:0", "caricature": PHOTOGRAPHS},
        "not both",
    ),
    "a dream of no layer": ({"start": PHOTOGRAPHS}, "no layers are given"),
    "a dream of an unknown layer": (
        {"start": PHOTOGRAPHS, "layers": "stage3"},
        "did you mean stage",
    ),
    "no photographs": ({"start": np.zeros((0, 8, 8, 3)), "layers": "stage2"}, "start:"),
    "a text": ({"caricature": "a.png", "layers": "stage2"}, "caricature: expected"),
    "other sizes": (
        {"start": PHOTOGRAPHS[:, :9], "caricature": PHOTOGRAPHS, "layers": "stage2"},
        "start has 9x12 pixels, caricature 16x12",
    ),
    "two starts of three": (
        {"units": "stage2:0-2", "start": PHOTOGRAPHS},
        "one photograph, or 3, one for each, found 2",
    ),
    "too few names": (
        {"caricature": PHOTOGRAPHS, "layers": "stage2", "names": ["a"]},
        "1 names for 2 photographs",
    ),
    "another preset": (
        {"units": "stage2:0", "preset": "deepdream"},
        "deepdream is of DeepDream, but Visualization .* has default, lucid",
    ),
    "an unknown preset": (
        {"units": "stage2:0", "preset": "lucdi"},
        "did you mean lucid",
    ),
    "another method": (
        {"units": "stage2:0", "method": DeepDream()},
        "Visualization is asked for, found DeepDream",
    ),
    "preset and method": (
        {"units": "stage2:0", "method": Visualization(), "preset": "lucid"},
        "not both",
    ),
    "an unknown setting": ({"units": "stage2:0", "angels": ()}, "did you mean angles"),
    "one side": ({"units": "stage2:0", "size": (9,)}, "expected height and width"),
    "no pixels": ({"units": "stage2:0", "octaves": 12}, "takes no inputs of 0x0"),
    "diversity of one": (
        {"units": "stage2:0", "w_diversity": 1.0},
        "give --per-unit 2",
    ),
    "diversity of logits": (
        {"classes": "cat", "w_diversity": 1.0, "per_unit": 2},
        "logits has no positions",
    ),
    "diversity of two layers": (
        {"units": "stage1:0 stage2:0", "w_diversity": 1.0, "per_unit": 2},
        "give --diversity-layer",
    ),
    "half a unit": (
        {"units": "stage2:0", "per_unit": 2, "batch_size": 3},
        "take a multiple of 2, not 3",
    ),
    "a unit on two devices": (
        {
            "units": "stage2:0",
            "per_unit": 2,
            "w_diversity": 1.0,
            "execution": Execution(devices=2, parallel="pmap"),
        },
        "take --parallel jit",
    ),
    "shifts of everything": (
        {"units": "stage2:0", "shifts": (4, 4)},
        "shifts cut 8 pixels off 8",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_work_is_refused_in_one_line(tiny, name):
    options, message = WRONG[name]
    with pytest.raises(ConfigError, match=message) as error:
        make_visualization(tiny, **options)
    assert "\n" not in str(error.value)
