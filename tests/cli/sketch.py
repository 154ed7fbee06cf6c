"""A second method, for tests of what serves them all."""

from dataclasses import dataclass

from jinv.inversion.deep import DeepInversion
from jinv.inversion.method import Length, Method, Rate
from jinv.inversion.methods import METHODS, MethodInfo
from jinv.inversion.presets import PRESETS, Preset


@dataclass(frozen=True)
class Sketch(Method):
    """DeepInversion in a few strokes.

    Attributes:
        lr: Learning rate.
        strokes: How many, as a deep method has none.
        width: Of a stroke, in pixels.
        shade: Whether with shades.
    """

    lr: Rate = 0.1
    strokes: tuple[int, ...] = (2,)
    width: Length = 4
    shade: bool = True

    def procedure(self, classifier):
        return self._deep.procedure(classifier)

    @property
    def numbers(self):
        return self._deep.numbers

    @property
    def form(self):
        return self

    @property
    def _deep(self):
        return DeepInversion(steps=self.strokes, lr=self.lr)


PRESET = Preset(Sketch(lr=0.3, patience=0.5), "these tests", "Lines", input_size=32)


def add_sketch(monkeypatch):
    """Let the method be chosen as `sketch`."""
    monkeypatch.setitem(METHODS, "sketch", MethodInfo(Sketch, lambda _: "lines"))
    monkeypatch.setitem(PRESETS, "lines", PRESET)
