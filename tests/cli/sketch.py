"""A second method, for tests of what serves them all."""

from dataclasses import dataclass, replace

from jinv.inversion.deep import DeepInversion
from jinv.inversion.methods import METHODS, MethodInfo
from jinv.inversion.presets import PRESETS, Preset


@dataclass(frozen=True)
class Sketch:
    """DeepInversion in a few strokes.

    Attributes:
        lr: Learning rate.
        strokes: How many, as a deep method has none.
        width: Of a stroke, in pixels.
        shade: Whether with shades.
    """

    lr: float = 0.1
    strokes: tuple[int, ...] = (2,)
    width: int = 4
    shade: bool = True

    def procedure(self, classifier):
        return DeepInversion(steps=self.strokes, lr=self.lr).procedure(classifier)

    def follow(self, given):
        return self

    def scaled(self, factor):
        return replace(self, width=round(factor * self.width))


PRESET = Preset(Sketch(lr=0.3), "these tests", "Lines", input_size=32, patience=0.5)


def add_sketch(monkeypatch):
    """Let the method be chosen as `sketch`."""
    monkeypatch.setitem(METHODS, "sketch", MethodInfo(Sketch, lambda _: "lines"))
    monkeypatch.setitem(PRESETS, "lines", PRESET)
