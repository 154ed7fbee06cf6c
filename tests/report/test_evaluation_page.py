import base64
import json
import re

import pytest
from html_tags import tags
from PIL import Image

from jinv.report.evaluation_page import write_evaluation_page

HASH = "3f9a" * 16
EVALUATION = {
    "set": {
        "source": "runs/synthesize",
        "split": "train",
        "images": 2000,
        "skipped": 1,
        "classes": {"cat": 1000, "ship": 1000},
    },
    "real": {"source": "cifar10.npz", "split": "train", "images": 50000},
    "extractor": {
        "name": "cifar10_resnet32",
        "sha256": HASH,
        "feature": "pooled",
        "dimensions": 64,
    },
    "rows": {
        "this set": {
            "top1:judge": {"value": 0.971, "low": 0.961, "high": 0.978, "images": 2000},
            "fid": {"value": 12.34, "low": None, "high": None, "images": 2000},
        },
        "noise": {"fid": {"value": 412.3, "low": 400, "high": 420, "images": 500}},
    },
    "judges": [
        {
            "name": "cifar10_resnet20",
            "sha256": HASH,
            "images": 2000,
            "per_class": {
                "cat": {"images": 1000, "top1": 0.955, "top5": None},
                "ship": {"images": 1000, "top1": 0.987, "top5": None},
            },
        }
    ],
    "metrics": {
        "top1:judge": {
            "title": "Recognised",
            "better": "higher",
            "unit": "%",
            "about": "Share that the judge gives its class.",
        },
        "fid": {
            "title": "FID",
            "better": "lower",
            "unit": "",
            "about": "Fréchet distance of features.",
        },
    },
    "warnings": ["The extractor is also the teacher."],
    "settings": {"seed": 3, "bootstrap": {"resamples": 1000}},
    "seconds": 123.4,
    "peak_memory_mib": 900.5,
}
PICTURES = (
    "grid.png",
    "confusion_cifar10_resnet20.png",
    "embedding.png",
    "neighbours.png",
    "precision_recall.png",
)
FILES = ("evaluation.json", *PICTURES)


@pytest.fixture
def folder(tmp_path):
    """A folder with all that an evaluation leaves."""
    change(tmp_path)
    for number, name in enumerate(PICTURES):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / name)
    return tmp_path


def page(folder):
    return write_evaluation_page(folder).read_text("utf-8")


def change(folder, **changes):
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION | changes))


def many_classes(count):
    """A judge that knows each class a little better than the one before."""
    classes = {
        f"class {number}": {"images": 10, "top1": number / count, "top5": 1.0}
        for number in range(count)
    }
    return {"name": "judge", "sha256": HASH, "images": 10, "per_class": classes}


def test_it_is_written_into_the_folder(folder):
    assert write_evaluation_page(folder) == folder / "index.html"
    assert not list(folder.glob(".*"))


def test_it_embeds_every_picture(folder):
    text = page(folder)
    for name in PICTURES:
        assert base64.b64encode((folder / name).read_bytes()).decode() in text


def test_it_needs_nothing_from_elsewhere(folder):
    text = page(folder)
    sources = [attrs["src"] for tag, attrs in tags(text) if tag == "img"]
    assert len(sources) == len(PICTURES)
    assert all(source.startswith("data:image/png") for source in sources)
    rest = re.sub('base64,[^"]*', "", text)
    for reference in ("http", "//", "<link", "<script", "@import", "url("):
        assert reference not in rest


def test_it_names_the_set_its_size_and_its_classes(folder):
    text = page(folder)
    assert "<h1>Evaluation of runs/synthesize</h1>" in text
    for fact in ("2,000 images", "2 classes", "1,000 a class", "1 skipped"):
        assert fact in text
    for fact in ("split train", "cat, ship", "2 min 3 s", "900 MiB"):
        assert fact in text


def test_classes_of_unequal_size_are_a_range(folder):
    change(folder, set=EVALUATION["set"] | {"classes": {"cat": 5, "ship": 2000}})
    assert "5 to 2,000 a class" in page(folder)


def test_warnings_are_in_a_box(folder):
    box = '<div class="warnings">'
    assert "<li>The extractor is also the teacher.</li>" in page(folder)
    assert box in page(folder)
    change(folder, warnings=[])
    assert box not in page(folder)


def test_the_key_numbers_of_the_set_are_cards(folder):
    cards = re.findall('<div class="card">(.*?)</div>', page(folder))
    assert cards == [
        'Recognised<b>97.1 %</b><span class="pale">'
        "higher is better · 96.1 – 97.8 %</span>",
        'FID<b>12.3</b><span class="pale">lower is better</span>',
    ]


def test_there_are_at_most_six_cards(folder):
    metrics = {str(number): EVALUATION["metrics"]["fid"] for number in range(9)}
    measured = dict.fromkeys(metrics, {"value": 1.0, "images": 1})
    change(folder, metrics=metrics, rows={"this set": measured})
    assert page(folder).count('class="card"') == 6


def test_sets_are_compared_in_a_table(folder):
    text = page(folder)
    assert (
        "<tr><th>set</th><th>Recognised<small>higher is better</small></th>"
        "<th>FID<small>lower is better</small></th></tr>"
    ) in text
    assert (
        "<tr><th>noise<small>500 images</small></th><td>–</td>"
        "<td>412<small>400 – 420</small></td></tr>"
    ) in text


def test_it_says_what_the_numbers_rest_on(folder):
    text = page(folder)
    assert "<b>pooled</b> of <b>cifar10_resnet32</b> (64 dimensions)" in text
    assert "50,000 of cifar10.npz (train)" in text
    change(folder, real=None)
    assert "no real images" in page(folder)


def test_each_judge_has_a_table_of_classes(folder):
    text = page(folder)
    assert "<h3>cifar10_resnet20</h3>" in text
    assert re.search(r"<th>cat</th><td>1,000</td><td [^>]*>95.5 %</td></tr>", text)
    assert "top-5" not in text
    change(folder, judges=[EVALUATION["judges"][0], many_classes(3)])
    assert page(folder).count("<h3>") == 2


def test_top_5_is_shown_where_it_was_measured(folder):
    change(folder, judges=[many_classes(3)])
    text = page(folder)
    assert "<th>top-5</th>" in text
    assert text.count("100.0 %") == 3


def test_up_to_40_classes_are_all_shown_in_order(folder):
    change(folder, judges=[many_classes(40)])
    shown = re.findall(r"<th>class (\d+)</th>", page(folder))
    assert shown == [str(number) for number in range(40)]


def test_of_more_classes_the_20_worst_are_shown(folder):
    judge = many_classes(1000)
    judge["per_class"] = dict(reversed(judge["per_class"].items()))
    change(folder, judges=[judge])
    text = page(folder)
    shown = re.findall(r"<th>class (\d+)</th>", text)
    assert shown == [str(number) for number in range(20)]
    assert "the 20 worst of 1,000 classes" in text


def test_many_classes_of_the_set_are_counted(folder):
    classes = {f"class {number}": 2 for number in range(1000)}
    change(folder, set=EVALUATION["set"] | {"classes": classes})
    text = page(folder)
    assert "class 39 and 960 more" in text
    assert "class 40" not in text


def test_confusions_are_headed_by_the_name_of_their_judge(folder):
    judge = EVALUATION["judges"][0] | {"name": "My Judge"}
    change(folder, judges=[judge])
    Image.new("RGB", (9, 9)).save(folder / "confusion_my-judge.png")
    text = page(folder)
    assert "<h2>Confusions of My Judge</h2>" in text
    assert "<h2>Confusions of cifar10_resnet20</h2>" in text


def test_every_figure_says_how_to_read_it(folder):
    assert page(folder).count("How to read this:") == 4


def test_it_says_what_each_number_means(folder):
    text = page(folder)
    assert "<th>FID</th><td>Fréchet distance of features. " in text
    assert "Lower is better." in text


def test_it_lists_the_configuration_and_the_hashes_of_the_networks(folder):
    text = page(folder)
    for fact in ("bootstrap.resamples", "sha256.cifar10_resnet20", HASH):
        assert fact in text


def test_hostile_names_are_escaped(folder):
    hostile = "<script>alert('x')</script>"
    evaluation = json.dumps(EVALUATION)
    for name in ("runs/synthesize", "cifar10_resnet20", "pooled", "cat", "FID"):
        evaluation = evaluation.replace(f'"{name}"', json.dumps(hostile))
    for name in ("noise", "seed", "The extractor is also the teacher.", "train"):
        evaluation = evaluation.replace(f'"{name}"', json.dumps(hostile))
    (folder / "evaluation.json").write_text(evaluation)
    text = page(folder)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 10


@pytest.mark.parametrize("missing", FILES)
def test_it_does_without_any_one_of_the_files(folder, missing):
    (folder / missing).rename(folder / "elsewhere")
    text = page(folder)
    images = [attrs for tag, attrs in tags(text) if tag == "img"]
    assert len(images) == len(PICTURES) - (missing in PICTURES)
    assert text.count("How to read this:") == sum(
        (folder / name).exists() for name in PICTURES[1:]
    )


@pytest.mark.parametrize("part", list(EVALUATION))
def test_it_does_without_any_one_part_of_the_evaluation(folder, part):
    evaluation = {name: EVALUATION[name] for name in EVALUATION if name != part}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    assert tags(page(folder))


def test_an_empty_folder_gives_an_empty_page(tmp_path):
    text = page(tmp_path)
    assert tags(text)
    assert "<section" not in text
