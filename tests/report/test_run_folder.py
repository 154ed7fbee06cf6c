import json

import numpy as np
import pytest
from PIL import Image

import jinv
from jinv.engine.run import Execution
from jinv.errors import RunFolderError


def test_a_result_is_saved_as_the_command_line_would(tiny, tmp_path):
    result = jinv.invert(tiny, "cat,dog", 4, steps=(3,), execution=Execution(devices=1))
    page = jinv.save_run(result, tmp_path / "run")
    assert page.is_file()
    first = np.asarray(Image.open(tmp_path / "run" / "images" / "00000_cat.png"))
    np.testing.assert_array_equal(first, np.round(result.images[0] * 255))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["images"] == 4 and summary["verifier"] is None
    with pytest.raises(RunFolderError, match="already holds a run"):
        jinv.save_run(result, tmp_path / "run")
    jinv.save_run(result, tmp_path / "run", overwrite=True)
