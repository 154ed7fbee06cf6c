import json

import numpy as np
import pytest

from jinv import dead_leaves, learn_prior, load_prior
from jinv.errors import ConfigError, DataError, FolderError, Interrupted
from jinv.models.receptive_fields import fields_of
from jinv.priors.learn import own_kernel

IMAGES = dead_leaves(12, 24, seed=0)
BRIEF = {"patch": 3, "filters": 6, "steps": 8, "round_steps": 4, "patches": 600}


@pytest.fixture
def learn(tmp_path):
    """Learns in a folder of this name; returns the prior, its bytes and its rows."""

    def run(name, images=IMAGES, **options):
        folder = tmp_path / name
        prior = learn_prior(images, folder, **{**BRIEF, **options})
        rows = (folder / "metrics.jsonl").read_text().splitlines()
        rows = [{**json.loads(row), "seconds": 0} for row in rows]
        return prior, prior.path.read_bytes(), rows

    return run


def stopping(at):
    asked = iter(range(100))
    return {"should_stop": lambda: next(asked) == at}


def test_a_lesson_that_is_stopped_ends_with_the_same_bytes(learn):
    whole, content, rows = learn("whole")
    for at in (1, 3):
        with pytest.raises(Interrupted):
            learn("parts", **stopping(at))
    _, again, later = learn("parts")
    assert again == content and later == rows
    assert learn("parts")[1] == content  # what is finished stays
    assert rows[-1]["held_out_loss"] < rows[0]["held_out_loss"]
    with pytest.raises(FolderError, match="another configuration"):
        learn("parts", filters=7)
    assert learn("other", seed=1)[1] != content


class Torn(list):
    """Images of which one cannot be read."""

    def __getitem__(self, number):
        if number == self.broken:
            raise DataError(f"{number}.png is torn")
        return super().__getitem__(number)


def test_an_image_that_is_torn_is_found_before_anything_is_learnt(learn):
    seen = []
    for number in range(len(IMAGES)):
        images = Torn(IMAGES)
        images.broken = number
        with pytest.raises(DataError, match=f"{number}.png is torn"):
            learn(f"torn{number}", images, on_event=seen.append, objective="unrolled")
    assert seen == []


def test_of_what_never_changes_there_is_nothing_to_learn(learn):
    with pytest.raises(DataError, match="grey images .* are the same everywhere"):
        learn("black", 0 * IMAGES, grey=True, objective="unrolled")


def test_energies_are_of_images_however_they_are_stored(learn):
    prior, *_ = learn("a")
    np.testing.assert_allclose(
        prior.energy(IMAGES[:2]), prior.energy(IMAGES[:2] / 255.0), rtol=1e-4
    )
    with pytest.raises(ConfigError, match="patches of 3x3, but there are 2x24 here"):
        prior.energy(IMAGES[:, :2])
    with pytest.raises(ConfigError, match="RGB images: expected .* width, 3., found"):
        prior.score(IMAGES[..., :1])


def test_a_card_tells_where_a_prior_comes_from(learn):
    prior, _, _ = learn("a", about={"data": "leaves"})
    read = load_prior(prior.path)
    card, measured = read.card, read.card["measured"]
    assert card["data"] == "leaves" and card["images"] == 12 and card["held_out"] == 1
    assert card["recipe"]["filters"] == 6 and card["of"]["channels"] == 3
    assert measured["deviation"] == pytest.approx(read.variables["deviation"])
    assert len(measured["kurtosis"]) == 6 and 0 < measured["auc"] < 1
    alphas = read.variables["alphas"]
    assert (np.diff(alphas) <= 0).all() and (alphas > 0).all()
    # The mean brightness does not count.
    assert np.abs(read.variables["filters"].sum((1, 2, 3))).max() < 1e-3
    # Energies are measured in natural deviations.
    each = prior.energy(np.asarray(IMAGES, np.float32) / 255)
    assert abs(each.mean()) < 1 and each.shape == (12,)


def test_images_may_be_of_any_sizes_but_not_smaller_than_a_patch(learn):
    images = [IMAGES[0], IMAGES[1][:10], IMAGES[2][:, :5, :1]]
    assert learn("a", images, grey=True)[0].form.subject.channels == 1
    with pytest.raises(DataError, match="image 1 is 2x24 there, and 3x3 are to be cut"):
        learn("b", [IMAGES[0], IMAGES[1][:2]])
    with pytest.raises(DataError, match="expected arrays .height, width, 3.* uint8"):
        learn("c", [IMAGES[0] / 255])


LAYOUTS = {"full": {}, "separable": {"chosen": (0, 3, 1)}, "channelwise": {}}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_prior_of_features_judges_what_its_layer_sees(learn, tiny, layout):
    prior, _, _ = learn(
        "a", network=tiny, layer="stage1", layout=layout, **LAYOUTS[layout]
    )
    prior.check_network(tiny)
    inputs = tiny.inputs_of(np.stack(list(IMAGES)))
    features = tiny.features(tiny.variables, inputs)
    natural = prior.energy(prior.values_of(tiny, inputs, features))
    assert abs(natural.mean()) < 2
    noise = np.random.default_rng(0).normal(size=features["stage1"].shape)
    strange = prior.energy(np.asarray(10 * noise, np.float32))
    assert strange.mean() > natural.mean() + 1


CROPS = {
    "unrolled": {"objective": "unrolled", "unrolled": 2},
    "dae": {"kind": "dae"},
}


@pytest.mark.parametrize("kind", CROPS)
def test_crops_are_denoised_better_and_better(learn, kind):
    small = {"crops": 30, "crop": 12, "batch_size": 6, "lr": 0.01}
    small |= {"steps": 20, "round_steps": 10}
    prior, _, rows = learn("a", grey=True, **small, **CROPS[kind])
    assert rows[-1]["held_out_psnr"] > rows[0]["held_out_psnr"]
    assert len(prior.card["denoising"].get("rates", ())) == 2 * (kind == "unrolled")
    objective = {"unrolled": "unrolled", "dae": "denoising"}[kind]
    assert prior.card["recipe"]["objective"] == objective


def test_crops_are_no_larger_than_images(learn):
    small = {"crops": 4, "crop": 500, "batch_size": 2, "steps": 1, "round_steps": 1}
    prior, _, rows = learn("a", grey=True, **small, **CROPS["unrolled"])
    assert prior.card["recipe"]["crop"] == 500 and len(rows) == 1


def test_denoising_score_matching_learns_too(learn):
    _, _, rows = learn("a", objective="denoising")
    assert rows[-1]["held_out_loss"] < rows[0]["held_out_loss"]


def test_a_patch_of_features_is_what_one_layer_sees(tiny):
    fields = fields_of(tiny)
    assert fields["stage1"].size == 7 and own_kernel(tiny, "stage1") == 3
    assert own_kernel(tiny, "stage2") == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 9}, "steps 9: expected whole rounds of round_steps 4, e.g. 8 or 12"),
        ({"last_lr": 1.0}, "last_lr 1 is over lr 0.03"),
        ({"kind": "dae", "objective": "unrolled"}, "learns by denoising"),
        ({"kind": "dae", "layout": "separable"}, "layout separable is one of experts"),
        ({"layout": "separable", "grey": True}, "grey images have one channel"),
        ({"layer": "conv1"}, "give the network whose layer"),
        ({"preset": "thesiss"}, "unknown preset 'thesiss' .did you mean thesis"),
        ({"filter": 3}, "filter"),
        ({"filters": 0}, "filters: expected a whole number from 1"),
    ],
)
def test_what_cannot_be_is_refused(learn, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        learn("a", **options)
    assert not (tmp_path / "a").exists()


def test_layers_are_checked(learn, tiny):
    with pytest.raises(ConfigError, match="grey is for priors of images"):
        learn("a", network=tiny, layer="stage1", grey=True)
    with pytest.raises(ConfigError, match="'stage9' of tiny is unknown"):
        learn("a", network=tiny, layer="stage9")
