"""A named configuration, and the file that can hold one."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinv.atomic import write_json
from jinv.checked import Checked
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.method import Method
from jinv.inversion.methods import find_kind
from jinv.inversion.settings import setting_from_json
from jinv.models.spec import ClassifierSpec
from jinv.values import Count, Natural, NotNegative


@dataclass(frozen=True)
class Preset(Checked):
    """A configuration with its provenance.

    Attributes:
        method: The configuration, of any method.
        source: Where it comes from.
        expected: What it is known to yield.
        input_size: The classifier's input size that it was made for, in pixels.
        batch_size: The batch that its weights were tuned for; 0 for any. Not imposed:
            it may not fit the device at hand.
        patience: Share of a phase without improvement after which it ends; 0 never.
    """

    method: Method
    source: str
    expected: str
    input_size: Count
    batch_size: Natural = 0
    patience: NotNegative = 0.0

    def fitted(self, spec: ClassifierSpec) -> Method:
        """The configuration with its lengths scaled to a classifier's input size."""
        return self.method.scaled(spec.input_size / self.input_size)


def read_preset(path: Path) -> Preset:
    """Read what `write_preset` wrote, or somebody by hand.

    The file needs `input_size` and `settings`; settings that it leaves out have their
    defaults.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the preset {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the preset {path} is not JSON: {error}") from error
    try:
        return _from_json(content, str(path))
    except ConfigError as error:
        raise ConfigError(f"the preset {path}: {error}") from error


def write_preset(path: Path, preset: Preset) -> None:
    """Write a preset as a file that `find_preset` reads."""
    facts = asdict(preset)
    settings = facts.pop("method")
    title = type(preset.method).__name__
    write_json(path, {"method": title, "settings": settings, **facts})


def _from_json(content: Any, source: str) -> Preset:
    if not isinstance(content, dict) or not {"settings", "input_size"} <= set(content):
        raise ConfigError("expected an object with settings and input_size")
    facts = {"method": DeepInversion.__name__, "source": source, "expected": ""}
    facts |= content
    kind, settings = find_kind(facts.pop("method")), facts.pop("settings")
    if not isinstance(settings, dict):
        raise ConfigError(f"settings: expected an object, found {settings!r}")
    facts = {n: setting_from_json(Preset, n, value) for n, value in facts.items()}
    chosen = {
        name: setting_from_json(kind, name, value) for name, value in settings.items()
    }
    return Preset(kind(**chosen), **facts)
