import json

import pytest
from students import CARD, TRAINING_CARD, epochs, rounds, write_student

from jinv.errors import FolderError
from jinv.report.student_record import read_record, record_of


@pytest.fixture
def student(tmp_path):
    return write_student(tmp_path / "student", CARD, rounds(None, 65.3, 65.1))


def test_a_student_is_read_from_its_card_and_its_log(student):
    record = read_record(student)
    assert record.card == CARD
    assert record.arm.line("test_accuracy")[0].tolist() == [2000, 3000]
    assert record.accuracy == 65.1
    assert record.best == (65.3, 2)
    assert record.seconds == 1700


def test_a_training_is_read_with_the_seconds_of_its_steps(tmp_path):
    record = read_record(write_student(tmp_path, TRAINING_CARD, epochs(60.0, 72.0)))
    assert record.arm.unit == "epoch"
    assert record.best == (72.0, 2)
    assert record.seconds == 120


def test_of_equal_tests_the_first_is_the_best(tmp_path):
    assert record_of(CARD, write_student(tmp_path, CARD, rounds(5.0, 5.0))).best == (
        5,
        1,
    )


def test_what_is_missing_is_none(tmp_path):
    record = record_of({}, tmp_path)
    assert (record.accuracy, record.best, record.seconds) == (None, None, None)


def test_other_json_files_are_no_cards(student):
    (student / "notes.json").write_text("[1, 2]")
    (student / "torn.json").write_text('{"model": ')
    (student / "summary.json").write_text('{"model": 3}')
    assert read_record(student).card == CARD


def test_a_torn_log_is_read_as_far_as_it_goes(student):
    with (student / "metrics.jsonl").open("a") as log:
        log.write('{"round": 4, "lo')
    assert len(read_record(student).arm.rows) == 3


def spoil(student, how):
    card, log = student / "cifar10_wrn16_1.json", student / "metrics.jsonl"
    match how:
        case "no folder":
            student.rename(student.with_name("elsewhere"))
        case "no card":
            card.unlink()
        case "cifar10_wrn16_1.json and other.json":
            (student / "other.json").write_text(json.dumps(CARD))
        case "no rounds or epochs in metrics.jsonl":
            log.write_text('{"step": 1, "loss": 2.0}\n')
        case "metrics.jsonl: Is a directory":
            log.unlink()
            log.mkdir()


@pytest.mark.parametrize(
    "found",
    [
        "no folder",
        "no card",
        "cifar10_wrn16_1.json and other.json",
        "no rounds or epochs in metrics.jsonl",
        "metrics.jsonl: Is a directory",
    ],
)
def test_what_is_no_student_is_refused_in_one_line(student, found):
    spoil(student, found)
    with pytest.raises(FolderError) as error:
        read_record(student)
    message = str(error.value)
    assert message.startswith(f"{student}: expected the folder of a student")
    assert message.endswith(f"found {found}")
    assert "\n" not in message
