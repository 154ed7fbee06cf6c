"""Networks as they are named on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinv.errors import ConfigError
from jinv.metrics.extraction import Extractor, make_extractor
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.models.loading import load_classifier
from jinv.models.spec import class_names
from jinv.models.weights.finding import find_weights, local_weights
from jinv.models.zoo import classifier_spec
from jinv.values import Count

_EMBEDDED = "cifar10_resnet20"
_CONVENTION = "inception_v3_fid"


@dataclass(frozen=True)
class NetworkFacts:
    """What may be said of a command's own network; others' files tell it themselves."""

    class_names: str | None = None
    """Names of the classes: comma-separated, or a text file with one on each line. By
    default, as of all these facts, what the file of weights says (in its metadata, or
    in a companion FILE.json), else the zoo's."""
    mean: tuple[float, ...] = ()
    """Mean subtracted from images in 0..1, per channel, e.g. 0.4914,0.4822,0.4465."""
    std: tuple[float, ...] = ()
    """Deviation by which the difference is divided, e.g. 0.2023,0.1994,0.2010."""
    input_size: Count | None = None
    """Height and width of the inputs, in pixels."""

    def given(self) -> Facts:
        """The facts that were given on the command line.

        Raises:
            ConfigError: The file of names cannot be read, or has too few.
        """
        names = read_names(self.class_names)
        return Facts(names, self.input_size, self.mean or None, self.std or None)


def read_names(given: str | None) -> tuple[str, ...] | None:
    """Read names of classes from a file: one on each line, or parted by commas.

    Raises:
        ConfigError: There are fewer than two, or the file is no text.
    """
    if given is None:
        return None
    path = Path(given).expanduser()
    if _is_file(path):
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"--class-names {given}: expected text in UTF-8, one name on each line "
                f"({error.reason} at byte {error.start})"
            ) from None
    else:
        lines = given.split(",")
    names = [line.strip() for line in lines if line.strip()]
    if len(names) < 2:
        missing = f"; there is no file {path}" if "," not in given else ""
        raise ConfigError(
            f"--class-names gives {len(names)} name(s): expected a file with one on "
            f"each line, or names separated by commas{missing}"
        )
    return class_names(names)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # many names are longer than any file's
        return False


def load_network(text: str, weights: Path | None = None) -> Classifier:
    """Load a classifier that is written NAME or NAME=WEIGHTS_FILE.

    Where its classes, mean, deviation or input size are not the zoo's, the file's
    metadata tells them, or a companion beside it, FILE.json.

    Raises:
        ConfigError: The zoo has no such name, or two files were given.
        WeightsError: The weights are missing or belong to another architecture.
    """
    name, _, file = text.partition("=")
    if file and weights:
        raise ConfigError(f"two files of weights for {name}: {file} and {weights}")
    found = Path(file).expanduser() if file else weights
    found = found or find_weights(classifier_spec(name), f"give {name}=FILE")
    return load_classifier(name, found)


def load_extractor(
    text: str | None,
    feature: str | None,
    judges: Sequence[Classifier],
    shown: Sequence[str] = (),
) -> Extractor:
    """Load the network whose features are compared.

    Args:
        text: Name if given; else Inception-v3 as FID has it where its weights are
            on this machine, else the first judge, else the project's own network.
        feature: Name of the features; by default those that the last dense layer reads.
        judges: Networks that are loaded already.
        shown: Names of further features, for pictures; see `make_extractor`.

    Raises:
        ConfigError: The network or the feature is unknown.
        WeightsError: The weights are missing or belong to another architecture.
    """
    if text:
        network = load_network(text)
    elif local_weights(classifier_spec(_CONVENTION)):
        network = load_classifier(_CONVENTION)
    else:
        network = judges[0] if judges else load_classifier(_EMBEDDED)
    return make_extractor(network, feature, shown)
