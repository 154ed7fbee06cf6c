import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import jinv
from jinv.engine.events import Frame, Made, Position
from jinv.engine.execution import Execution
from jinv.errors import FolderError, Interrupted
from jinv.inversion.make_job import make_job
from jinv.report.run_folder import RunFolder


def test_a_result_is_saved_as_the_command_line_would(tiny, tmp_path):
    result = jinv.invert(tiny, "cat,dog", 4, steps=(3,), execution=Execution(devices=1))
    page = jinv.save_run(result, tmp_path / "run")
    assert page.is_file()
    first = np.asarray(Image.open(tmp_path / "run" / "images" / "00000_cat.png"))
    np.testing.assert_array_equal(first, np.round(result.images[0] * 255))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["images"] == 4 and summary["judge"] is None
    with pytest.raises(FolderError, match="already holds a run: overwrite=True"):
        jinv.save_run(result, tmp_path / "run")
    jinv.save_run(result, tmp_path / "run", overwrite=True)


def test_frames_of_all_phases_are_laid_out_alike(tiny, tmp_path):
    # Single images of many classes: cells of 96 pixels could go in other columns.
    large = replace(tiny, spec=replace(tiny.spec, input_size=224))
    job = make_job(large, "all", 6, execution=Execution(devices=1))
    with RunFolder(tmp_path / "run", job) as folder:
        for phase, size in enumerate((112, 224)):
            images = np.zeros((6, size, size, 3), np.uint8)
            made = Made(
                range(6), images / 255, images, np.arange(6), list(large.spec.classes)
            )
            folder.on_event(Frame(Position(0, phase, 1), made))
    frames = sorted((tmp_path / "run" / "frames").iterdir())
    assert len({Image.open(frame).size for frame in frames}) == 1


@pytest.fixture
def job(tiny):
    execution = Execution(devices=1, log_every=1)
    options = {"steps": (3,), "resolutions": (8,), "execution": execution}
    return make_job(tiny, "cat,dog", 6, batch_size=2, company=0, **options)


def carry_out(job, path, should_stop=lambda: False):
    """Begin a run in a folder, or go on with it; what `jinv invert` does."""
    with RunFolder(path, job) as folder:
        missing = folder.missing()
        job.run(folder.on_event, should_stop, folder.checkpoints, True, numbers=missing)
        folder.finish("finished", 1.0, None, None, {})
    return missing


def images(path):
    return {p.name: p.read_bytes() for p in (path / "images").iterdir()}


def places(path):
    rows = map(json.loads, (path / "metrics.jsonl").read_text().splitlines())
    return sorted((row["batch"], row["step"]) for row in rows)


@pytest.fixture
def stopped(job, tmp_path):
    """A run that was stopped in its last batch, and the same one uninterrupted."""
    carry_out(job, tmp_path / "whole")
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        carry_out(job, tmp_path / "run", lambda: next(steps) == 7)
    return tmp_path / "run", tmp_path / "whole"


def test_what_a_power_loss_has_torn_is_made_again(job, stopped):
    run, whole = stopped
    torn = run / "images" / "00002_cat.png"
    torn.write_bytes(torn.read_bytes()[:60])
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"batch": 2, "sta')
    (run / "summary.json").write_bytes(b"")
    assert carry_out(job, run) == [2, 1]
    assert images(run) == images(whole)
    assert places(run) == places(whole)


def test_files_of_others_among_the_images_are_left_alone(job, stopped):
    run, whole = stopped
    others = ("holiday.png", "99999_cat.png", "notes.txt")
    for name in others:
        (run / "images" / name).write_text("precious")
    assert carry_out(job, run) == [2]
    found = images(run)
    assert {found.pop(name) for name in others} == {b"precious"}
    assert found == images(whole)


def test_a_finished_run_says_so_and_keeps_nothing_that_only_a_run_needs(job, tmp_path):
    carry_out(job, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    # As a kill would leave it that came a moment too early.
    (tmp_path / "checkpoint").mkdir()
    with RunFolder(tmp_path, job) as folder:
        assert folder.finished and folder.summary["images"] == 6
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_checkpoint_of_another_shape_is_one_line(job, stopped):
    run, _ = stopped
    for path in (run / "checkpoint").rglob("*"):
        if path.is_file():
            path.write_text("{}")
    with pytest.raises(FolderError, match="cannot be read") as caught:
        RunFolder(run, job)
    assert "\n" not in str(caught.value)
    # And lets go of the folder.
    RunFolder(run, job, overwrite=True).close()


def test_a_run_that_is_stopped_early_shows_what_there_is(tiny, tmp_path):
    execution = Execution(devices=1)
    options = {"steps": (3,), "resolutions": (4, 8), "execution": execution}
    job = make_job(tiny, "cat,dog", 4, batch_size=2, company=0, **options)
    steps = iter(range(100))
    with RunFolder(tmp_path, job) as folder:
        with pytest.raises(Interrupted):
            # In the first phase of the second batch, after the whole of the first.
            job.run(folder.on_event, lambda: next(steps) == 7, folder.checkpoints)
        summary = folder.finish("interrupted", 1.0, None, None, {})
        assert summary["images"] == 4 and folder.load_images()[0].shape == (4, 8, 8, 3)
        assert folder.missing() == [1]
