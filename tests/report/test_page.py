import base64
import json
import re

import numpy as np
import pytest
from html_tags import tags
from PIL import Image

from jinv.report.html import wide_table
from jinv.report.page import write_page
from jinv.report.pictures import save_images
from jinv.report.reconstruction import DIFFERENCES

SUMMARY = {
    "status": "finished",
    "model": "cifar10_resnet20",
    "method": "DeepInversion",
    "images": 4,
    "classes": ["cat", "ship"],
    "teacher": {"name": "cifar10_resnet20", "top1": 0.987, "top5": 1.0},
    "judge": {"name": "cifar10_resnet32", "top1": 0.943, "top5": None},
    "terms": {"bn": {"raw": 20.5, "weight": 10.0, "weighted": 205.0}},
    "loss": 205.25,
    "seconds": {"compiling": 21.3, "running": 2134.2, "total": 2190.0},
    "classifier_passes": 200000,
    "peak_memory_mib": 900.5,
    "device": "cpu",
}
PICTURES = ("grid.png", "curves.png", "evolution.webp")
FILES = ("summary.json", "config.json", "metrics.jsonl", "images", *PICTURES)


@pytest.fixture
def run(tmp_path):
    """A folder with all that a run leaves."""
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    config = {"inversion": {"seed": 3, "settings": {"steps": [2000]}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    rows = [{"step": 1, "image_steps_per_second": speed} for speed in (1, 512, 514)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for number, name in enumerate(PICTURES):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / name)
    names = ["cat", "ship", "cat", "ship"]
    save_images(tmp_path / "images", np.zeros((4, 32, 32, 3)), names)
    return tmp_path


def page(folder):
    return write_page(folder).read_text("utf-8")


def change(folder, **changes):
    (folder / "summary.json").write_text(json.dumps(SUMMARY | changes))


def test_it_is_written_into_the_folder(run):
    assert write_page(run) == run / "index.html"


def test_it_embeds_every_picture(run):
    text = page(run)
    for path in [run / name for name in PICTURES] + list((run / "images").iterdir()):
        assert base64.b64encode(path.read_bytes()).decode() in text


def test_it_needs_nothing_from_elsewhere(run):
    text = page(run)
    sources = [attrs["src"] for tag, attrs in tags(text) if tag == "img"]
    assert len(sources) == 3 + 4
    assert all(source.startswith("data:image/") for source in sources)
    rest = re.sub('base64,[^"]*', "", text)
    for reference in ("http", "//", "<link", "<script", "@import", "url("):
        assert reference not in rest


def test_its_tags_are_balanced(run):
    assert tags(page(run))


def test_it_tells_the_key_numbers(run):
    text = page(run)
    for number in ("98.7 %", "94.3 %", "35 min 34 s", "21.3 s", "200,000", "900 MiB"):
        assert number in text
    assert "512" in text  # the median speed


def test_it_names_model_method_classes_and_status(run):
    text = page(run)
    for fact in ("cifar10_resnet20", "DeepInversion", "cat, ship", "finished"):
        assert fact in text


def test_an_unfinished_run_stands_out(run):
    assert "status stopped" not in page(run)
    change(run, status="interrupted")
    assert '<span class="status stopped">interrupted</span>' in page(run)


def test_without_a_judge_it_says_how_to_get_one(run):
    assert "--judge MODEL" not in page(run)
    change(run, judge=None)
    assert "--judge MODEL" in page(run)


def test_it_lists_the_terms_of_the_loss(run):
    text = page(run)
    cells = "<td>20.5</td><td>10</td><td>205</td>"
    assert f"<tr><th>bn</th>{cells}</tr>" in text
    assert "<td>205.2</td>" in text


def test_it_lists_the_whole_configuration(run):
    text = page(run)
    assert "inversion.seed" in text
    assert "inversion.settings.steps" in text
    assert "[2000]" in text


def test_hostile_names_are_escaped(run):
    hostile = "<script>alert('x')</script>"
    verdict = {"name": hostile, "top1": 1.0, "top5": 1.0}
    terms = {hostile: {"raw": 1.0, "weight": 1.0, "weighted": 1.0}}
    change(run, model=hostile, classes=[hostile], teacher=verdict, terms=terms)
    (run / "config.json").write_text(json.dumps({hostile: hostile}))
    save_images(run / "images", np.zeros((1, 8, 8, 3)), [hostile], first=9)
    text = page(run)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_images_are_captioned_by_their_numbers_whatever_their_files_are_called(run):
    names = {0: "猫", 1: "犬", 2: "a/b", 3: "a-b"}
    text = write_page(run, names=names).read_text("utf-8")
    captions = re.findall("<figcaption>(.*?)</figcaption>", text)
    assert captions == [*names.values()]
    assert "<figcaption>ship</figcaption>" in page(run)


def test_small_images_are_magnified_without_smoothing(run):
    images = [attrs for tag, attrs in tags(page(run)) if attrs.get("alt") == "cat"]
    assert [image["width"] for image in images] == ["96", "96"]
    assert all(image["class"] == "pixelated" for image in images)


def test_large_images_are_shown_as_they_are(tmp_path):
    save_images(tmp_path / "images", np.zeros((1, 224, 224, 3)), ["cat"])
    (image,) = [attrs for tag, attrs in tags(page(tmp_path)) if tag == "img"]
    assert image["width"] == "224"
    assert "class" not in image


def test_it_shows_200_images_and_counts_the_rest(tmp_path):
    save_images(tmp_path / "images", np.zeros((203, 2, 2, 3)), ["cat"] * 203)
    text = page(tmp_path)
    assert text.count("<figure") == 200
    assert "and 3 more" in text


@pytest.mark.parametrize("missing", FILES)
def test_it_does_without_any_one_of_the_files(run, missing):
    (run / missing).rename(run / "elsewhere")
    assert tags(page(run))


@pytest.mark.parametrize("present", FILES)
def test_it_does_with_any_one_of_the_files(run, present):
    for name in FILES:
        if name != present:
            (run / name).rename(run / f"not_{name}")
    assert tags(page(run))


def test_an_empty_folder_gives_an_empty_page(tmp_path):
    text = page(tmp_path)
    assert tags(text)
    assert "<section" not in text


def test_a_run_that_did_not_end_tells_its_total_time(run):
    change(run, seconds={"total": 4000.0})
    assert "1 h 6 min" in page(run)


def test_writing_it_again_replaces_it(run):
    before = page(run)
    change(run, status="diverged")
    assert page(run) != before
    assert not list(run.glob(".*"))


def test_images_that_stand_beside_their_photographs_are_not_shown_twice(run):
    assert "<h2>Images</h2>" in page(run)
    reconstruction = {"images": {}, "lpips_by": None}
    change(run, reconstruction=reconstruction)
    assert "<h2>Images</h2>" in page(run)  # there is no such picture
    (run / DIFFERENCES).write_bytes((run / "grid.png").read_bytes())
    text = page(run)
    assert "Photographs and reconstructions" in text
    assert "<h2>Images</h2>" not in text


def test_a_table_is_led_by_its_first_row_only_where_others_are_read_against_it():
    rows = [["one", "1"], ["two", "2"]]
    assert 'class="numbers sets"' in wide_table(["name", "value"], rows)
    assert 'class="numbers sets led"' in wide_table(["name", "value"], rows, led=True)
