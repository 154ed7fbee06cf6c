import json

import numpy as np
import pytest
from html_tags import tags

from jinv.engine.execution import Execution
from jinv.report.excitation import excitation, excitation_table, save_photographs
from jinv.report.pictures import read_picture
from jinv.report.run_folder import RunFolder
from jinv.visualization.make_job import make_visualization

ONE = Execution(devices=1)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


def request(tiny, *units, **options):
    return make_visualization(tiny, units, execution=ONE, **options).request


@pytest.fixture
def pairs(tiny):
    return request(tiny, "stage2:0-1", per_unit=2)


def test_an_image_is_told_beside_those_of_other_units(tiny, pairs):
    found = excitation(pairs, range(4), IMAGES)
    json.dumps(found)
    assert found["measure"] == "activation"
    seen = np.asarray(tiny.features(tiny.variables, tiny.inputs_of(IMAGES))["stage2"])
    unit = seen.mean((1, 2))[:, 0]
    row = found["images"][1]
    assert row["name"] == "stage2_0" and row["photograph"] is None
    np.testing.assert_allclose(row["own"], unit[1], rtol=1e-4)
    np.testing.assert_allclose(row["mean"], unit[2:].mean(), rtol=1e-4)
    np.testing.assert_allclose(row["greatest"], unit[2:].max(), rtol=1e-4)
    assert row["whose"] == "stage2_1"


def test_images_that_are_missing_leave_the_others_where_they_are(pairs):
    found = excitation(pairs, [0, 3], IMAGES[[0, 3]])
    whole = excitation(pairs, range(4), IMAGES)
    owns = [row["own"] for row in whole["images"]]
    np.testing.assert_allclose(
        [row["own"] for row in found["images"]], [owns[0], owns[3]], rtol=1e-5
    )


def test_a_single_unit_has_nothing_beside_it(tiny):
    found = excitation(request(tiny, "stage2:0"), range(1), IMAGES[:1])
    (row,) = found["images"]
    assert row["mean"] is row["greatest"] is row["whose"] is None
    table = excitation_table(found)
    assert tags(table) and "others" not in table.replace("Others", "others")


def test_a_caricature_is_told_beside_its_photograph_and_a_dream_alone(tiny):
    caricatures = request(
        tiny, caricature=IMAGES[:2], layers="stage2", names=["a", "b"]
    )
    found = excitation(caricatures, range(2), IMAGES[:2])
    for row in found["images"]:
        np.testing.assert_allclose([row["own"], row["photograph"]], 1, rtol=1e-4)
        assert row["mean"] < row["own"]
    assert "of the photograph" in excitation_table(found)
    dreams = request(tiny, start=IMAGES[:2], layers="stage2", octaves=1)
    (row, _) = excitation(dreams, range(2), IMAGES[:2])["images"]
    np.testing.assert_allclose(row["own"], row["photograph"], rtol=1e-5)
    assert row["mean"] is None


def test_names_and_numbers_are_in_the_table(pairs):
    found = excitation(pairs, range(4), IMAGES)
    found["images"][0]["name"] = "a<b"
    table = excitation_table(found)
    assert "a&lt;b" in table and "greatest of the others" in table
    assert f"{found['images'][0]['own']:.4g}" in table


def test_photographs_lie_beside_what_came_of_them(tiny, tmp_path):
    plain = request(tiny, "stage2:0")
    save_photographs(tmp_path, plain, [0], IMAGES[:1])
    assert not list(tmp_path.iterdir())
    dreams = request(tiny, start=IMAGES[:2], layers="stage2", octaves=1, per_unit=2)
    save_photographs(tmp_path, dreams, range(4), IMAGES)
    assert read_picture(tmp_path / "photographs.png") is not None


def test_the_page_tells_what_images_excite(tiny, tmp_path):
    job = make_visualization(
        tiny, "stage2:0-1", start=IMAGES[:1], size=(8, 10), steps=2, execution=ONE
    )
    with RunFolder(tmp_path / "run", job) as folder:
        job.run(folder.on_event, checkpoints=folder.checkpoints)
        summary = folder.finish("finished", 1.0, None, None, {})
    page = (tmp_path / "run" / "index.html").read_text()
    assert tags(page)
    assert "What the images excite" in page and "Photographs and images" in page
    assert "--judge" not in page
    assert [row["name"] for row in summary["excitation"]["images"]] == [
        "stage2_0", "stage2_1",
    ]  # fmt: skip
    image = read_picture(tmp_path / "run" / "images" / "00001_stage2_1.png")
    assert image is not None and image.shape == (8, 10, 3)
