import base64
import json
import re

import pytest
from html_tags import tags
from students import CARD, TRAINING_CARD, epochs, rounds, write_pool, write_student

from jinv.errors import ConfigError, FolderError
from jinv.report.student_page import write_student_page

FILES = ("config.json", "metrics.jsonl", "pool")


@pytest.fixture
def student(tmp_path):
    """A folder with all that a distillation without data leaves."""
    folder = write_student(tmp_path / "own", CARD, rounds(None, 40.0, 65.3, 65.1))
    write_pool(folder / "pool", batches=5, size=10)
    return folder


@pytest.fixture
def control(tmp_path):
    card = CARD | {"data": "cifar10.npz (50000 training images)", "test_accuracy": 83.5}
    card["budget"] = {"images": 50000, "seconds_total": 735.0}
    return write_student(tmp_path / "control", card, rounds(60.0, None, 83.5))


def page(folder, card=CARD, beside=None):
    return write_student_page(folder, card, beside).read_text("utf-8")


def cards(text):
    """Values and notes of the cards, by title."""
    pattern = r'<div class="card">(.*?)<b>(.*?)</b><span class="pale">(.*?)</span>'
    return {title: (value, note) for title, value, note in re.findall(pattern, text)}


def test_it_is_written_into_the_folder(student):
    assert write_student_page(student, CARD) == student / "index.html"


def test_it_embeds_curves_and_pool_and_needs_nothing_from_elsewhere(student):
    text = page(student)
    for name in ("curves.png", "pool.png"):
        assert base64.b64encode((student / name).read_bytes()).decode() in text
    assert len([tag for tag, _ in tags(text) if tag == "img"]) == 2
    rest = re.sub('base64,[^"]*', "", text)
    for reference in ("http", "//", "<link", "<script", "@import", "url("):
        assert reference not in rest


def test_it_tells_the_accuracies_and_how_far_the_teacher_is(student):
    told = cards(page(student))
    assert told["Test accuracy"] == ("65.10 %", "25.89 points below the teacher")
    assert told["Best on the way"] == (
        "65.30 %",
        "round 3 · 25.69 points below the teacher",
    )
    assert told["Agreement"][0] == "85.20 %"


def test_a_student_may_surpass_its_teacher(student):
    told = cards(page(student, CARD | {"test_accuracy": 91.24}))
    assert told["Test accuracy"][1] == "0.25 points above the teacher"


def test_it_tells_the_teacher_with_its_checksum(student):
    text = page(student)
    value, note = cards(text)["Teacher"]
    assert value == "cifar10_resnet20"
    assert note.startswith("90.99 % of test images · sha256 <code>a22777707eacacf5…")
    assert CARD["teacher"]["sha256"] in text


def test_it_tells_the_budget(student):
    told = cards(page(student))
    assert told["Images"] == (
        "40,000",
        "3,000,000 teacher passes, forward and backward",
    )
    assert told["Student's steps"] == ("4,000", "256,000 images through the teacher")
    assert told["Time"] == (
        "28 min 20 s",
        "images 15 min 0 s · student 11 min 40 s",
    )
    assert told["Peak memory"] == ("1,800 MiB", "x86_64 cpu")
    assert told["Seed"] == ("7", "")


def test_its_head_tells_model_teacher_and_data(student):
    head = page(student).split("</header>")[0]
    for fact in (
        "<h1>Student cifar10_wrn16_1</h1>",
        "taught by cifar10_resnet20 · 4,000 steps · 64 images a step · 28 min 20 s",
        CARD["data"],
    ):
        assert fact in head


def test_it_lists_configuration_and_command(student):
    text = page(student)
    assert "<th>distillation.steps</th>" in text
    assert f"<code>{CARD['command']}</code>" in text


def test_others_are_in_the_table_and_in_the_figure(student, control):
    alone = page(student)
    before = (student / "curves.png").read_bytes()
    assert "Beside others" not in alone
    text = page(student, beside={"real images": control})
    assert (student / "curves.png").read_bytes() != before
    _, own, other = re.findall("<tr>(.*?)</tr>", text.split("Beside others")[1])[:3]
    assert f"this one<small>{CARD['data']}</small>" in own
    assert re.findall("<td>(.*?)</td>", own) == [
        "40,000",
        "15 min 0 s",
        "28 min 20 s",
        "65.10 %",
        "65.30 %",
    ]
    assert "real images<small>cifar10.npz (50000 training images)</small>" in other
    assert re.findall("<td>(.*?)</td>", other) == [
        "50,000",
        "–",
        "12 min 15 s",
        "83.50 %",
        "83.50 %",
    ]


def test_columns_of_the_table_in_which_nobody_has_anything_are_left_out(tmp_path):
    own, other = (
        write_student(tmp_path / name, TRAINING_CARD, epochs(50.0, 60.0))
        for name in ("own", "other")
    )
    text = page(own, TRAINING_CARD, {"other": other}).split("Beside others")[1]
    assert re.findall("<th>([^<]*)</th>", text)[:4] == [
        "student",
        "time in all",
        "test accuracy",
        "best on the way",
    ]


def unwritten(student):
    return not {"index.html", "curves.png", "pool.png"} & {
        path.name for path in student.iterdir()
    }


def test_another_that_cannot_be_read_is_refused_before_anything_is_written(
    student, control, tmp_path
):
    beside = {"real images": control, "gone": tmp_path / "gone"}
    with pytest.raises(FolderError, match="gone: expected the folder of a student"):
        write_student_page(student, CARD, beside)
    assert unwritten(student)


def test_epochs_and_rounds_are_not_set_side_by_side(student, tmp_path):
    training = write_student(tmp_path / "training", TRAINING_CARD, epochs(50.0))
    with pytest.raises(
        FolderError, match="expected a log of rounds.*found one of epoc"
    ):
        write_student_page(student, CARD, {"training": training})
    assert unwritten(student)


def test_nobody_else_has_the_name_of_the_own_student(student, control):
    with pytest.raises(ConfigError, match="call .*control otherwise"):
        write_student_page(student, CARD, {"this one": control})
    assert unwritten(student)


def test_without_test_images_it_says_how_to_give_some(student):
    card = CARD | {"test_accuracy": None, "best": None}
    write_student(student, card, rounds(None, None))
    told = cards(page(student, card))
    assert told["Test accuracy"] == ("not measured", "<code>--test SET</code> does")
    assert "Best on the way" not in told


def test_a_teacher_that_was_not_tested_leaves_no_gap(student):
    card = CARD | {"teacher": {"name": "mine", "sha256": "", "test_accuracy": None}}
    told = cards(page(student, card))
    assert told["Teacher"] == ("mine", "not tested")
    assert told["Test accuracy"] == ("65.10 %", "")


def test_a_training_is_told_by_epochs(tmp_path):
    rows = epochs(50.0, 72.0, 71.5)
    rows[-1] |= {"accuracy": 99.25, "real_accuracy": 68.0}
    text = page(write_student(tmp_path, TRAINING_CARD, rows), TRAINING_CARD)
    assert "<h1>Training of cifar10_vgg11</h1>" in text
    assert "30 epochs · 128 images a step · 3 min 0 s" in text
    told = cards(text)
    assert told["Test accuracy"] == ("72.30 %", "")
    assert told["Best on the way"] == ("72.00 %", "epoch 2")
    assert told["Accuracy on images learnt from"][0] == "99.25 %"
    assert told["Accuracy on other images"][0] == "68.00 %"
    assert told["Time"] == ("3 min 0 s", "of the steps alone")
    assert told["Seed"] == ("3", "")
    assert not {"Teacher", "Images", "Agreement"} & set(told)


def test_hostile_names_are_escaped(student, control):
    hostile = "<script>alert('x')</script>"
    card = dict.fromkeys(("model", "data", "command", "platform"), hostile)
    card |= {"teacher": {"name": hostile, "sha256": hostile}}
    card |= {"budget": {"peak_memory_mib": 1}}
    (student / "config.json").write_text(json.dumps({hostile: hostile}))
    (control / "cifar10_wrn16_1.json").write_text(
        json.dumps({"model": "a", "data": hostile})
    )
    text = page(student, card, {hostile: control})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 10
    assert tags(text)


@pytest.mark.parametrize("junk", ["x", {}, None, float("inf")])
@pytest.mark.parametrize("name", sorted(CARD))
def test_what_the_card_says_in_another_form_is_left_out(
    tmp_path, monkeypatch, name, junk
):
    monkeypatch.setattr("jinv.report.student_page.plot_students", lambda *_: None)
    write_student(tmp_path, CARD, rounds(65.3, 65.1))
    assert tags(page(tmp_path, CARD | {name: junk}))


@pytest.mark.parametrize("missing", FILES)
def test_it_does_without_any_one_of_the_files(student, missing):
    (student / missing).rename(student / "elsewhere")
    assert tags(page(student))


def test_an_empty_card_in_an_empty_folder_gives_a_page(tmp_path):
    text = page(tmp_path, {})
    assert tags(text)
    assert list(cards(text)) == ["Test accuracy"]
    assert "<img" not in text


def test_a_pool_that_does_not_tell_its_batches_is_not_shown(student):
    (student / "pool" / "metadata.jsonl").unlink()
    assert "Images by round" not in page(student)
