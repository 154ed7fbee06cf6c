import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from jinv.decoders.config import DecoderConfig
from jinv.decoders.decoder import load_decoder, write_decoder
from jinv.decoders.design import crop_of, design_decoder
from jinv.decoders.learn import learn_decoder
from jinv.engine.execution import Execution
from jinv.errors import ConfigError, Interrupted, WeightsError
from jinv.models.loading import make_classifier, outline_classifier
from jinv.models.zoo import classifier_spec
from jinv.reconstruction.reconstruct import make_reconstruction, reconstruct

WORDS = {"steps": 6, "round_steps": 3, "batch_size": 4, "width": 0.5, "lr": 0.02}


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    shapes = [(8, 8), (11, 9), (6, 13), (20, 8), (8, 10), (9, 9)]
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


@pytest.fixture(scope="module")
def teach(tiny, photographs, tmp_path_factory):
    place = tmp_path_factory.mktemp("decoders")

    def run(name, **options):
        words = {**WORDS, **options}
        layer = words.pop("layer", "stage1")
        known, tested = photographs[:4], photographs[4:]
        return learn_decoder(tiny, layer, known, place / name, tested, **words)

    return run


@pytest.fixture(scope="module")
def learnt(teach):
    return teach("whole")


def test_what_was_stopped_ends_with_the_same_bytes(teach, learnt):
    asked = iter(range(99))
    with pytest.raises(Interrupted, match="round 2 of 2; the 1 of its 3 steps"):
        teach("parts", should_stop=lambda: next(asked) == 3)
    again = teach("parts")
    assert again.path.read_bytes() == learnt.path.read_bytes()
    assert again.errors == learnt.errors


def test_a_file_holds_the_decoder_and_its_card_tells_of_it(learnt, tiny):
    found = load_decoder(learnt.path, tiny)
    jax.tree.map(np.testing.assert_array_equal, found.params, learnt.decoder.params)
    assert found.sha256 == learnt.decoder.sha256
    folder = learnt.path.parent
    card = json.loads((folder / "decoder.json").read_text())
    assert card["layer"] == "stage1" and card["network"] == "tiny"
    assert card["modules"] == ["image", "middle1"]
    assert card["photographs"] == 4 and card["held_out"] == 2
    assert card["budget"]["crops"] == 24 and card["sha256"] == found.sha256
    assert card["errors"]["relative_squared_error"] > 0
    rows = list(map(json.loads, (folder / "metrics.jsonl").open()))
    assert [row["round"] for row in rows] == [1, 2]
    assert rows[1]["image"] < rows[0]["image"] and rows[0]["test_psnr"] > 0
    page = (folder / "index.html").read_text()
    assert "stage1 → middle1 → image" in page
    assert page.count("data:image/png") == 2


def test_one_pass_is_what_the_decoder_makes(learnt, tiny, photographs):
    targets = photographs[0][None]
    found = reconstruct(tiny, targets, "stage1", decoder=learnt.decoder)
    features = tiny.features(tiny.variables, tiny.inputs_of(targets))["stage1"]
    made = learnt.decoder.images(features)
    np.testing.assert_allclose(found.images, made, atol=1e-4)
    assert found.log == [] and found.outcome.passes == 0
    # In any parametrisation and unit, and with a margin.
    other = reconstruct(
        tiny, targets, "stage1", decoder=learnt.decoder, preset="mahendran-2016",
        steps=(0, 0),
    )  # fmt: skip
    np.testing.assert_allclose(other.images, made, atol=1e-4)


def test_an_optimisation_starts_where_the_decoder_says(learnt, tiny, photographs):
    targets = np.stack([photographs[0], photographs[0][::-1]])
    options = {"decoder": learnt.decoder, "execution": Execution(devices=1)}
    still = reconstruct(tiny, targets, "stage1", **options)
    moved = reconstruct(tiny, targets, "stage1", steps=(3,), lr=1e-6, **options)
    np.testing.assert_allclose(moved.images, still.images, atol=1e-3)
    found = reconstruct(tiny, targets, "stage1", steps=(20,), **options)
    assert found.log[-1]["loss"] < moved.log[-1]["loss"]
    described = moved.job.describe()
    assert described["decoder"] == learnt.decoder.sha256
    assert described["settings"]["start"] == "decoder"


def test_what_does_not_fit_is_refused_in_one_line(learnt, tiny, photographs, tmp_path):
    stranger = make_classifier(replace(tiny.spec, name="stranger"))
    with pytest.raises(ConfigError, match="decodes stage1 of tiny, not of stranger"):
        load_decoder(learnt.path, stranger)
    with pytest.raises(ConfigError, match="learnt from other weights of tiny"):
        load_decoder(learnt.path, make_classifier(tiny.spec, seed=5))
    begin = make_reconstruction
    targets = photographs[0][None]
    with pytest.raises(ConfigError, match="told the features of stage1, but the lay"):
        begin(tiny, targets, "stage2", decoder=learnt.decoder)
    with pytest.raises(ConfigError, match="start is 'decoder', and no decoder"):
        begin(tiny, targets, "stage1", start="decoder")
    with pytest.raises(ConfigError, match="start is 'noise', and a decoder"):
        begin(tiny, targets, "stage1", start="noise", decoder=learnt.decoder)
    with pytest.raises(ConfigError, match="0 updates leave noise"):
        begin(tiny, targets, "stage1", steps=(0,))
    with pytest.raises(ConfigError, match=r"stage1 has \(8, 8, 4\) where images have"):
        learnt.decoder.images(np.zeros((1, 4, 4, 4)))
    broken = tmp_path / "broken.safetensors"
    whole = learnt.path.read_bytes()
    for content in (b"", whole[:40], whole[: len(whole) // 2], b"{}", whole[200:]):
        broken.write_bytes(content)
        with pytest.raises(WeightsError, match="cannot read the decoder"):
            load_decoder(broken, tiny)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"scales": ()}, "0 scales for the 3 stations from the image to stage1"),
        ({"scales": (1.0, float("nan"))}, "scales"),
        ({"scales": (1.0, 0.0)}, "scales"),
        ({"crop": 0}, "crop: expected"),
        ({}, "has values that are NaN or infinite"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    learnt, tiny, tmp_path, told, message
):
    decoder = learnt.decoder
    about = decoder.about._replace(**told)
    params = (
        decoder.params if told else jax.tree.map(lambda x: x * np.nan, decoder.params)
    )
    path = tmp_path / "strange.safetensors"
    write_decoder(path, replace(decoder, about=about, params=params))
    with pytest.raises(WeightsError, match=message):
        load_decoder(path, tiny)


def test_a_file_of_another_format_is_refused(learnt, tiny, tmp_path, monkeypatch):
    path = tmp_path / "before.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("jinv.decoders.decoder.FORMAT", 1)
        write_decoder(path, learnt.decoder)
    with pytest.raises(WeightsError, match="of format 1, and this version of jinv"):
        load_decoder(path, tiny)


@pytest.mark.parametrize("layer", ["logits", "stage2"])
def test_one_network_for_the_whole_way(teach, tiny, photographs, layer):
    words = {"architecture": "monolithic", "upwards": "resize", "width": 0.03}
    learnt = teach(layer, layer=layer, steps=2, round_steps=2, **words)
    found = reconstruct(tiny, photographs[0][None], layer, decoder=learnt.decoder)
    assert found.images.shape == (1, 8, 8, 3)
    assert learnt.decoder.design.names == ("image",)


def test_units_without_a_place_have_a_module(teach, tiny, photographs):
    learnt = teach("dense", layer="logits", steps=2, round_steps=2, regime="stacked")
    assert learnt.errors["relative_squared_error"] > 0
    with pytest.raises(ConfigError, match="makes images of 8x8 pixels, not of 16x16"):
        learnt.decoder.images(np.zeros((1, 6)), (16, 16))
    small = design_decoder(tiny, "logits", DecoderConfig(crop=4))
    about = learnt.decoder.about._replace(crop=4)
    decoder = replace(learnt.decoder, design=small, about=about)
    with pytest.raises(ConfigError, match="4x4 pixels, not of 8x8: teach one by crops"):
        make_reconstruction(tiny, photographs[0][None], "logits", decoder=decoder)


def test_crops_are_of_the_size_that_is_decoded():
    large = outline_classifier(classifier_spec("resnet18"))
    assert crop_of(large, "stage2", DecoderConfig()) == 64
    assert crop_of(large, "logits", DecoderConfig()) == 224
    assert crop_of(large, "logits", DecoderConfig(crop=96)) == 96
