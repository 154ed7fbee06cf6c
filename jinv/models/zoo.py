"""The classifiers that jinv knows by name."""

from functools import cache

from jinv.errors import ConfigError
from jinv.models.catalogue.imagenet import imagenet_networks
from jinv.models.catalogue.small_images import small_networks
from jinv.models.facts import Facts
from jinv.models.spec import ClassifierSpec
from jinv.suggest import near


def classifier_names() -> list[str]:
    """List the names of all classifiers in the zoo.

    Example:
        >>> "cifar10_resnet20" in classifier_names()
        True
    """
    return list(_zoo())


def classifier_spec(name: str) -> ClassifierSpec:
    """Look a classifier of the zoo up by its name.

    Raises:
        ConfigError: The zoo has none of this name; near matches are offered.

    Example:
        >>> classifier_spec("cifar10_resnet20").input_size
        32
    """
    zoo = _zoo()
    if name not in zoo:
        raise ConfigError(f"unknown model {name!r}{near(name, zoo)}; see `jinv models`")
    return zoo[name]


def beyond_zoo(spec: ClassifierSpec) -> Facts:
    """The facts in which a network differs from the zoo's of its name.

    A network that the zoo does not have differs in all.
    """
    own = Facts.of(spec)
    known = _zoo().get(spec.name)
    return own.beyond(Facts.of(known)) if known else own


@cache
def _zoo() -> dict[str, ClassifierSpec]:
    specs = (*imagenet_networks(), *small_networks())
    return {spec.name: spec for spec in specs}
