"""`jinv models`: the classifiers that jinv knows, and where their weights are."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlparse

import jax
import tyro
from rich.console import Console
from rich.table import Table

from jinv.models.classifier import Classifier, init_shapes
from jinv.models.weight_files import cached_download, embedded_card, embedded_weights
from jinv.models.zoo import ClassifierSpec, classifier_names, classifier_spec


@dataclass(frozen=True)
class Models:
    """List the classifiers that can be inverted, or describe one of them."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """The one to describe."""


def run(options: Models) -> int:
    """Carry the command out; returns the exit status."""
    console = Console()
    if options.name is None:
        console.print(_table([classifier_spec(name) for name in classifier_names()]))
    else:
        console.print(_details(classifier_spec(options.name)))
    return 0


def _table(specs: list[ClassifierSpec]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("model")
    for title in ("classes", "input, px", "parameters, M"):
        table.add_column(title, justify="right")
    table.add_column("top-1, %")
    table.add_column("weights")
    for spec in specs:
        table.add_row(
            spec.name,
            str(len(spec.classes)),
            str(spec.input_size),
            f"{_parameters(_classifier(spec)) / 1e6:.2f}",
            _accuracy(spec),
            _weights(spec),
        )
    return table


def _details(spec: ClassifierSpec) -> Table:
    classifier = _classifier(spec)
    running = classifier.running_moments(classifier.variables)
    layers = [f"{n} ({running[n].mean.size})" for n in classifier.batchnorm_names]
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "model": spec.name,
        "classes": f"{len(spec.classes)}: {', '.join(spec.classes[:10])}"
        + (", …" if len(spec.classes) > 10 else ""),
        "input": f"{spec.input_size} x {spec.input_size} px, in [0, 1], "
        f"mean {spec.mean}, std {spec.std}",
        "parameters": f"{_parameters(classifier):,}",
        "top-1, %": _accuracy(spec),
        "weights": _weights(spec),
    }
    if spec.download:
        rows["download"] = f"{spec.download.url} ({spec.download.licence})"
        rows["cached at"] = str(cached_download(spec))
    rows["BatchNorm (channels)"] = f"{len(layers)}: " + ", ".join(layers)
    for title, text in rows.items():
        table.add_row(title, text)
    return table


def _weights(spec: ClassifierSpec) -> str:
    cached = cached_download(spec)
    if embedded_weights(spec.name):
        return "embedded"
    if cached is None or spec.download is None:
        return "none published: train it, or --weights FILE"
    if cached.is_file():
        return "downloaded"
    return f"download from {urlparse(spec.download.url).netloc}"


def _accuracy(spec: ClassifierSpec) -> str:
    card = embedded_card(spec.name)
    if card:
        return f"{card['test_accuracy']} on its test set (this project's weights)"
    return spec.accuracy or "-"


def _classifier(spec: ClassifierSpec) -> Classifier:
    """A classifier whose variables are shapes: nothing is read or computed."""
    module = spec.build()
    return Classifier(spec, module, init_shapes(module, spec))


def _parameters(classifier: Classifier) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(classifier.variables["params"]))
