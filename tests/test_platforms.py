"""What jinv needs of the machine."""

import subprocess
import sys

IMPORT_ALL = """
import pkgutil
import sys
from importlib import import_module

sys.modules["fcntl"] = sys.modules["resource"] = None

import jinv

refused = []
for module in pkgutil.walk_packages(jinv.__path__, "jinv."):
    try:
        import_module(module.name)
    except ImportError as error:
        if error.name != "optuna":
            refused.append(f"{module.name}: {error}")
sys.exit("\\n".join(refused) or 0)
"""


def test_every_module_is_imported_without_what_windows_lacks():
    # In one process of its own, where nothing is imported yet. Optuna is optional.
    words = [sys.executable, "-c", IMPORT_ALL]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
