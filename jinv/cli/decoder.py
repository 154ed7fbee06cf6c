"""`jinv decoder`: a network that makes images of what a layer says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tyro

from jinv.cli.networks import NetworkFacts
from jinv.cli.progress import LessonProgress
from jinv.cli.stopping import Stop
from jinv.cli.training import command_line
from jinv.console import make_console
from jinv.data.photographs import Photographs, names_of, photographs_in
from jinv.decoders.config import DecoderConfig
from jinv.decoders.learn import learn_decoder
from jinv.devices import backend
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.precision import Precision, activation_type
from jinv.errors import ConfigError
from jinv.metrics.measures import MEASURES
from jinv.models.features import check_layers
from jinv.models.loading import load_classifier
from jinv.values import Natural


@dataclass(frozen=True)
class LearnDecoder:
    """Teach a network to make images of what a layer of another one says of them.

    It learns from random crops of photographs, which may be of any sizes. Writes
    decoder.safetensors, which `jinv reconstruct --decoder` takes, decoder.json, its
    card, and index.html, its page, to --out. Interrupted work goes on where it stopped
    when the same command is given again.
    """

    images: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Photographs to learn from: files, or folders of files."""
    model: str = "alexnet_features"
    """Network whose features are decoded, by its name in the zoo (`jinv models`)."""
    weights: Path | None = None
    """Weights of --model, as `jinv invert` takes them."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    layer: str = ""
    """Layer whose features are decoded; `jinv models NAME` lists those that there are.
    """
    test: tuple[Path, ...] = ()
    """Photographs to test by, likewise; by default a tenth of the others, up to 100,
    which are held out."""
    precision: Precision = "auto"
    """Type of both networks' activations; auto: bfloat16 on accelerators."""
    out: Path = Path("runs/decoder")
    """Folder for everything that the decoder leaves."""
    devices: Natural = 0
    """Over how many devices each batch is spread; 0 for as many as share it evenly."""
    overwrite: bool = False
    """Replace what is in --out."""
    config: tyro.conf.OmitArgPrefixes[DecoderConfig] = field(
        default_factory=DecoderConfig
    )


_MOST_HELD_OUT = 100


def run(options: LearnDecoder) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    console = make_console()
    config = options.config.whole()
    if not options.layer:
        raise ConfigError(
            f"give --layer; `jinv models {options.model}` lists those that there are"
        )
    known = photographs_in(options.images)
    tested = photographs_in(options.test) if options.test else []
    if not tested:
        known, tested = _hold_out(known, config.seed)
    network = load_classifier(
        options.model,
        options.weights,
        **options.facts.given().to_json(),
        dtype=activation_type(options.precision),
    )
    check_layers(network, [options.layer])  # before anything is read

    def announce() -> None:
        console.print(
            f"A decoder of {options.layer} of {options.model} learns from "
            f"{len(known)} photographs, {len(tested)} others are held out: "
            f"{config.steps} updates by {config.batch_size} crops ({backend()}); "
            f"progress is kept in {options.out}"
        )

    progress = LessonProgress(
        console, "round", config.rounds, _tested, "reading photographs"
    )
    with Stop() as stop, progress:
        learnt = learn_decoder(
            network,
            options.layer,
            Photographs(known, network.spec.channels)[:],
            options.out,
            Photographs(tested, network.spec.channels)[:] if tested else [],
            names=names_of(tested),
            devices=options.devices,
            overwrite=options.overwrite,
            about={"command": command_line("decoder")},
            on_start=announce,
            on_event=progress.on_event,
            should_stop=stop.requested,
            **asdict(config),
        )
    said = [
        f"{MEASURES[name].title} {value:.4g} {MEASURES[name].unit}".strip()
        for name, value in learnt.errors.items()
        if value is not None
    ]
    console.print(f"{', '.join(said) or 'not tested'}; wrote {learnt.path}")
    return 0


def _hold_out(paths: Sequence[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """Part photographs into those to learn from, and a tenth to test by."""
    count = min(_MOST_HELD_OUT, len(paths) // 10)
    mixed = np.random.default_rng(seed).permutation(len(paths))
    chosen = set(mixed[:count].tolist())
    parts: tuple[list[Path], list[Path]] = ([], [])
    for number, path in enumerate(paths):
        parts[number in chosen].append(path)
    return parts


def _tested(row: Mapping[str, float]) -> str:
    told = [f"image {row['image']:.3g}"]
    if "test_psnr" in row:
        told.append(f"held out {row['test_psnr']:.2f} dB")
    if (error := row.get("test_error")) is not None:
        told.append(f"features {error:.3g}")
    return "  ".join(told)
