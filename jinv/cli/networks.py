"""Networks as they are named on the command line."""

from collections.abc import Sequence
from pathlib import Path

from jinv.errors import ConfigError
from jinv.metrics.observe import Extractor, make_extractor
from jinv.models.classifier import Classifier, load_classifier
from jinv.models.weight_files import find_weights, local_weights
from jinv.models.zoo import classifier_spec

_EMBEDDED = "cifar10_resnet20"
_CONVENTION = "inception_v3_fid"


def load_network(text: str, weights: Path | None = None) -> Classifier:
    """A classifier written NAME or NAME=WEIGHTS_FILE.

    Raises:
        ConfigError: The zoo has no such name, or two files were given.
        WeightsError: The weights are missing or belong to another architecture.
    """
    name, _, file = text.partition("=")
    if file and weights:
        raise ConfigError(f"two files of weights for {name}: {file} and {weights}")
    found = file or weights or find_weights(classifier_spec(name), f"give {name}=FILE")
    return load_classifier(name, found)


def load_extractor(
    text: str | None,
    feature: str | None,
    judges: Sequence[Classifier],
    shown: Sequence[str] = (),
) -> Extractor:
    """The network whose features are compared.

    Args:
        text: Which, if it was said; else Inception-v3 as FID has it where its weights
            are on this machine, else the first judge, else the project's own network.
        feature: Which features; by default those that the last dense layer reads.
        judges: Networks that are loaded already.
        shown: More features, for pictures; see `make_extractor`.

    Raises:
        ConfigError: Unknown network or feature.
        WeightsError: The weights are missing or belong to another architecture.
    """
    if text:
        network = load_network(text)
    elif local_weights(classifier_spec(_CONVENTION)):
        network = load_classifier(_CONVENTION)
    else:
        network = judges[0] if judges else load_classifier(_EMBEDDED)
    return make_extractor(network, feature, shown)
