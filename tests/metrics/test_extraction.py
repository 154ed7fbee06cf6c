import numpy as np
import pytest
from PIL import Image

from jinv.data.labelled import ArrayImages
from jinv.data.sets import load_labelled
from jinv.errors import ConfigError, DataError
from jinv.metrics.extraction import extract, make_extractor

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), np.uint8)
LABELS = np.arange(23) % 6


def test_features_are_those_of_the_network_whatever_the_batch_size(tiny):
    extractor = make_extractor(tiny)
    inputs = tiny.normalise(IMAGES / np.float32(255))
    expected = tiny.features(tiny.variables, inputs)
    for batch_size in (5, 100):
        seen = extract(
            ArrayImages(IMAGES, LABELS), extractor, [tiny], batch_size=batch_size
        )
        np.testing.assert_allclose(
            seen.features["pooled"], expected["pooled"], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            seen.features["stage1"],
            np.asarray(expected["stage1"]).mean((1, 2)),
            rtol=1e-4,
            atol=1e-5,
        )
        for logits in seen.logits:
            np.testing.assert_allclose(logits, expected["logits"], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(seen.labels, LABELS)


def test_features_without_a_pooled_layer_fall_back(unnormalised):
    assert make_extractor(unnormalised).feature == "logits"


def test_an_unknown_feature_is_refused(tiny):
    with pytest.raises(ConfigError, match="no feature 'pool5'; it has .*pooled"):
        make_extractor(tiny, "pool5")
    with pytest.raises(ConfigError, match="no feature 'stage9'"):
        make_extractor(tiny, shown=("stage1", "stage9"))


def test_chosen_stages_are_extracted(tiny):
    extractor = make_extractor(tiny, "logits", ("stage1",))
    seen = extract(ArrayImages(IMAGES, LABELS), extractor)
    assert list(seen.features) == ["logits", "stage1"]


@pytest.fixture
def folder(tmp_path, tiny):
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        place = tmp_path / "train" / tiny.spec.classes[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02d}.png")
    return tmp_path


def test_unreadable_images_are_left_out_and_named(tiny, folder):
    (folder / "train" / "cat" / "02.png").write_bytes(b"")
    whole = (folder / "train" / "dog" / "09.png").read_bytes()
    (folder / "train" / "dog" / "09.png").write_bytes(whole[: len(whole) // 2])
    data = load_labelled(str(folder), "train", tiny.spec.classes, None)
    seen = extract(data, make_extractor(tiny), batch_size=4)
    assert len(seen) == 21 and len(seen.unreadable) == 2
    assert "02.png cannot be read as an image" in seen.unreadable[0]
    assert "09.png" in seen.unreadable[1]
    good = np.delete(np.arange(23), [i for i in range(23) if i not in seen.indices])
    np.testing.assert_array_equal(seen.labels, data.labels[good])


def test_nothing_readable_is_an_error(tiny, folder):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"not an image")
    data = load_labelled(str(folder), "train", tiny.spec.classes, None)
    with pytest.raises(DataError, match="none of 23 images could be read: .*png"):
        extract(data, make_extractor(tiny))


def test_images_of_several_sizes_need_a_size(tiny, folder):
    Image.new("RGB", (9, 9)).save(folder / "train" / "cat" / "02.png")
    data = load_labelled(str(folder), "train", tiny.spec.classes, None)
    with pytest.raises(DataError, match="--size N cuts them"):
        extract(data, make_extractor(tiny))
    for path in (folder / "train" / "cat").iterdir():  # whole batches are of one size
        Image.new("RGB", (9, 9)).save(path)
    data = load_labelled(str(folder), "train", tiny.spec.classes, None)
    with pytest.raises(DataError, match="--size N cuts them"):
        extract(data, make_extractor(tiny), batch_size=1)
    cut = load_labelled(str(folder), "train", tiny.spec.classes, 8)
    assert len(extract(cut, make_extractor(tiny))) == 23


def test_batches_follow_the_images_that_could_be_read(folder, tiny):
    (folder / "train" / "boat" / "01.png").write_bytes(b"")
    data = load_labelled(str(folder), "train", tiny.spec.classes, None)
    seen = extract(
        data, make_extractor(tiny), batch_numbers=np.arange(23), batch_size=4
    )
    np.testing.assert_array_equal(seen.batch_numbers, seen.indices)
    np.testing.assert_array_equal(
        seen.take(np.arange(5)).batch_numbers, seen.batch_numbers[:5]
    )
    assert (
        len(seen.batch_numbers) == 22
        and extract(data, make_extractor(tiny)).batch_numbers is None
    )
