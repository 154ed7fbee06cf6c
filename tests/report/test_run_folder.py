import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import jinv
from jinv.engine.events import Frame, Place
from jinv.engine.run import Execution
from jinv.errors import FolderError
from jinv.inversion.job import make_job
from jinv.report.run_folder import RunFolder


def test_a_result_is_saved_as_the_command_line_would(tiny, tmp_path):
    result = jinv.invert(tiny, "cat,dog", 4, steps=(3,), execution=Execution(devices=1))
    page = jinv.save_run(result, tmp_path / "run")
    assert page.is_file()
    first = np.asarray(Image.open(tmp_path / "run" / "images" / "00000_cat.png"))
    np.testing.assert_array_equal(first, np.round(result.images[0] * 255))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["images"] == 4 and summary["verifier"] is None
    with pytest.raises(FolderError, match="already holds a run"):
        jinv.save_run(result, tmp_path / "run")
    jinv.save_run(result, tmp_path / "run", overwrite=True)


def test_frames_of_all_stages_are_laid_out_alike(tiny, tmp_path):
    # Single images of many classes: cells of 96 pixels could go in other columns.
    large = replace(tiny, spec=replace(tiny.spec, input_size=224))
    job = make_job(large, "all", 6, execution=Execution(devices=1))
    folder = RunFolder(tmp_path / "run", job, resume=False, overwrite=False)
    for stage, size in enumerate((112, 224)):
        inputs = np.zeros((6, size, size, 3), np.float32)
        folder.on_event(Frame(Place(0, stage, 1), inputs))
    frames = sorted((tmp_path / "run" / "frames").iterdir())
    assert len({Image.open(frame).size for frame in frames}) == 1
