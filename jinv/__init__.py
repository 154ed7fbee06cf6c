"""Turn a trained image classifier back into images, with JAX and Flax.

>>> import jinv
>>> teacher = jinv.load_classifier("cifar10_resnet20")
>>> result = jinv.invert(teacher, "cat,ship", images=2, steps=(2,))
>>> result.images.shape
(2, 32, 32, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from jinv.data.sets import load_labelled
    from jinv.decoders.decoder import Decoder, load_decoder
    from jinv.decoders.learn import learn_decoder
    from jinv.images.dead_leaves import dead_leaves
    from jinv.inversion.dafl import DAFL
    from jinv.inversion.deep import DeepInversion
    from jinv.inversion.dfad import DFAD
    from jinv.inversion.fast import FastGenerators
    from jinv.inversion.invert import Result, invert
    from jinv.inversion.make_job import make_job
    from jinv.inversion.natural import NaturalInversion
    from jinv.inversion.presets import PRESETS
    from jinv.metrics.judge import judge
    from jinv.models.classifier import Classifier
    from jinv.models.loading import load_classifier, make_classifier
    from jinv.models.operations.taps import tap
    from jinv.models.wrapping import wrap_classifier
    from jinv.models.zoo import classifier_names, classifier_spec
    from jinv.priors.denoise import denoise
    from jinv.priors.files import load_prior
    from jinv.priors.learn import learn_prior
    from jinv.reconstruction.reconstruct import Reconstructed, reconstruct
    from jinv.report.run_folder import save_run
    from jinv.supermask.hidden import Supermask
    from jinv.supermask.published import load_published
    from jinv.supermask.search import find_subnetwork
    from jinv.synthesis.synthetic_set import synthesize
    from jinv.transfer.distill import distill
    from jinv.transfer.prune import prune
    from jinv.transfer.train import train
    from jinv.transfer.train_config import TrainConfig
    from jinv.visualization.visualize import Visualized, visualize

_HOMES = {
    "DAFL": "jinv.inversion.dafl",
    "DFAD": "jinv.inversion.dfad",
    "Classifier": "jinv.models.classifier",
    "Decoder": "jinv.decoders.decoder",
    "DeepInversion": "jinv.inversion.deep",
    "FastGenerators": "jinv.inversion.fast",
    "NaturalInversion": "jinv.inversion.natural",
    "PRESETS": "jinv.inversion.presets",
    "Reconstructed": "jinv.reconstruction.reconstruct",
    "Result": "jinv.inversion.invert",
    "Supermask": "jinv.supermask.hidden",
    "TrainConfig": "jinv.transfer.train_config",
    "Visualized": "jinv.visualization.visualize",
    "classifier_names": "jinv.models.zoo",
    "classifier_spec": "jinv.models.zoo",
    "dead_leaves": "jinv.images.dead_leaves",
    "denoise": "jinv.priors.denoise",
    "distill": "jinv.transfer.distill",
    "find_subnetwork": "jinv.supermask.search",
    "invert": "jinv.inversion.invert",
    "judge": "jinv.metrics.judge",
    "learn_decoder": "jinv.decoders.learn",
    "learn_prior": "jinv.priors.learn",
    "load_classifier": "jinv.models.loading",
    "load_decoder": "jinv.decoders.decoder",
    "load_labelled": "jinv.data.sets",
    "load_prior": "jinv.priors.files",
    "load_published": "jinv.supermask.published",
    "make_classifier": "jinv.models.loading",
    "make_job": "jinv.inversion.make_job",
    "prune": "jinv.transfer.prune",
    "reconstruct": "jinv.reconstruction.reconstruct",
    "save_run": "jinv.report.run_folder",
    "synthesize": "jinv.synthesis.synthetic_set",
    "tap": "jinv.models.operations.taps",
    "train": "jinv.transfer.train",
    "visualize": "jinv.visualization.visualize",
    "wrap_classifier": "jinv.models.wrapping",
}

__all__ = [
    "DAFL",
    "DFAD",
    "PRESETS",
    "Classifier",
    "Decoder",
    "DeepInversion",
    "FastGenerators",
    "NaturalInversion",
    "Reconstructed",
    "Result",
    "Supermask",
    "TrainConfig",
    "Visualized",
    "classifier_names",
    "classifier_spec",
    "dead_leaves",
    "denoise",
    "distill",
    "find_subnetwork",
    "invert",
    "judge",
    "learn_decoder",
    "learn_prior",
    "load_classifier",
    "load_decoder",
    "load_labelled",
    "load_prior",
    "load_published",
    "make_classifier",
    "make_job",
    "prune",
    "reconstruct",
    "save_run",
    "synthesize",
    "tap",
    "train",
    "visualize",
    "wrap_classifier",
]


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `jinv --help` need not wait for jax.
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'jinv' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jinv")
    except PackageNotFoundError:  # a source tree that nobody installed
        return "0+unknown"
