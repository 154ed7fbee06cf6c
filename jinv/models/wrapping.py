"""A Linen classifier of one's own, and the mistakes that are natural in bringing it."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.checked import checked
from jinv.errors import ConfigError, JinvWarning
from jinv.models.classifier import Classifier
from jinv.models.spec import ClassifierSpec, class_names
from jinv.values import Count, converted, shown

_FOREIGN = {
    "torch": "save its state_dict, and load it by load_classifier where the zoo has "
    "its architecture (`jinv models`)",
    "equinox": "write its forward pass as a flax.linen.Module",
    "haiku": "write its forward pass as a flax.linen.Module",
    "keras": "write its forward pass as a flax.linen.Module",
    "tensorflow": "write its forward pass as a flax.linen.Module",
}
_NNX = (
    "wrap it: flax.nnx.bridge.to_linen makes a Linen module of an NNX class (its "
    "BatchNorm layers are not heard then)"
)


@checked
def wrap_classifier(
    module: Any,
    variables: Mapping[str, Any],
    *,
    name: str,
    classes: Any,
    input_size: Any,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    inference: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Classifier:
    """Bring a Linen classifier of your own.

    It maps inputs (batch, height, width, channels) to logits. Its
    `flax.linen.BatchNorm` or `jinv.models.operations.layers.BatchNorm` layers are
    compared with their running statistics; activations passed through
    `jinv.tap` can be asked for by name.

    Args:
        module: Linen module.
        variables: Variables `params`, and `batch_stats` if it has BatchNorm layers.
        name: Name in reports.
        classes: Names of the classes, in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Mean subtracted from images in [0, 1], per channel, as in training.
        std: Deviation by which the difference is divided, per channel.
        inference: Keyword arguments that make a call an inference, e.g.
            `{"train": False}`.
        training: Keyword arguments that make a call a training, for `jinv.train`; by
            default those of `inference` with every True and False turned round.

    Raises:
        ConfigError: Something is missing or cannot work; the message says what to do.

    Warns:
        JinvWarning: BatchNorm layers have statistics, but cannot be listened to.

    Example:
        >>> import flax.linen as nn
        >>> net = nn.Sequential([lambda x: x.mean((1, 2)), nn.Dense(2)])
        >>> variables = net.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
        >>> wrap_classifier(
        ...     net,
        ...     variables,
        ...     name="mine",
        ...     classes=["day", "night"],
        ...     input_size=8,
        ...     mean=[0.5] * 3,
        ...     std=[0.5] * 3,
        ... ).spec.name
        'mine'
    """
    _check_module(module)
    if mean is None or std is None:
        raise ConfigError(
            f"{name}: expected mean= and std=, by which images in 0..1 were normalised "
            "when it was trained, e.g. (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) "
            "as for ImageNet; (0, 0, 0) and (1, 1, 1) where they were left as they are"
        )
    spec = ClassifierSpec(
        name,
        lambda **_: module,
        class_names(classes),
        _side(input_size),
        tuple(mean),
        tuple(std),
    )
    _check_variables(name, variables)
    inference = dict(inference or {})
    training = _turned(inference) if training is None else dict(training)
    wrapped = Classifier(spec, module, dict(variables), "", inference, training)
    _check_logits(wrapped)
    heard = wrapped.batchnorm_names
    _warn_of_silent_layers(wrapped)
    return replace(wrapped, spec=replace(spec, batch_norm=bool(heard)))


def check_training(classifier: Classifier) -> None:
    """Find out by shapes alone whether a network can be called to train.

    Raises:
        ConfigError: The network cannot; the message says what to do.
    """
    spec, arguments = classifier.spec, dict(classifier.in_training)
    size = spec.input_size
    example = jax.ShapeDtypeStruct((2, size, size, spec.channels), jnp.float32)
    changes, network = [], classifier.in_parts()

    def call(variables, inputs):
        logits, new = network.training(variables, inputs, jax.random.key(0))
        before, after = map(jax.tree.leaves, (variables.get("batch_stats", {}), new))
        changes.extend(x is not y for x, y in zip(before, after, strict=True))
        return logits

    how = (
        "give wrap_classifier the arguments that make a call a training, e.g. "
        "training={'train': True}"
    )
    try:
        found = jax.eval_shape(call, classifier.variables, example)
    except Exception as error:  # a module may raise what it likes
        reason = _reason(error)
        raise ConfigError(
            f"{spec.name} cannot be called to train with inputs {example.shape} and "
            f"{arguments} ({type(error).__name__}: {reason}): expected logits alone, "
            "and nothing that changes but batch_stats or draws but dropout; or "
            f"{how}"
        ) from None
    if found.shape != (2, len(spec.classes)):
        raise ConfigError(
            f"{spec.name}, called with {arguments} to train, puts out "
            f"{found.shape[1:]} per image: expected one logit for each of its "
            f"{len(spec.classes)} classes"
        )
    if changes and not any(changes):
        raise ConfigError(
            f"{spec.name}, called with {arguments} to train, leaves its statistics as "
            f"they are, as in an inference: {how}"
        )


def _turned(inference: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what makes a call an inference into what makes it a training."""
    return {
        name: not value if isinstance(value, bool) else value
        for name, value in inference.items()
    }


def _check_module(module: Any) -> None:
    if isinstance(module, nn.Module):
        return
    homes = [kind.__module__ for kind in type(module).__mro__]
    if isinstance(module, type):
        what, advice = f"the class {module.__name__}", "make one of it, Net(…)"
    elif any(home.startswith("flax.nnx") for home in homes):
        what, advice = "an NNX module", _NNX
    else:
        found = {home.partition(".")[0] for home in homes} & set(_FOREIGN)
        library = next(iter(found), "")
        what = f"a module of {library}" if library else shown(module)
        advice = _FOREIGN.get(library, "give a flax.linen.Module")
    raise ConfigError(f"module: expected a flax.linen.Module, found {what}: {advice}")


def _side(given: Any) -> int:
    """Read one number for height and width, which may be given as two."""
    if isinstance(given, tuple | list):
        if len(given) != 2 or given[0] != given[1]:
            raise ConfigError(
                "input_size: expected one number, the height and the width of square "
                f"inputs, found {shown(given)}"
            )
        given = given[0]
    return converted(Count, given, "input_size")


def _check_variables(name: str, variables: Mapping[str, Any]) -> None:
    if "params" in variables and isinstance(variables["params"], Mapping):
        return
    keys = ", ".join(map(str, list(variables)[:3]))
    raise ConfigError(
        f"{name}: variables has no params, but {keys or 'nothing'}: expected "
        "{'params': …, 'batch_stats': …}, as module.init returns them (of a "
        "TrainState, {'params': state.params, 'batch_stats': state.batch_stats})"
    )


def _check_logits(wrapped: Classifier) -> None:
    """Find out by shapes alone whether a network can be called, and what comes out."""
    spec = wrapped.spec
    size = spec.input_size
    example = jax.ShapeDtypeStruct((1, size, size, spec.channels), jnp.float32)

    def call(variables, inputs):
        return wrapped.module.apply(variables, inputs, **wrapped.inference)

    try:
        found: Any = jax.eval_shape(call, wrapped.variables, example)
    except flax.errors.ModifyScopeVariableError:
        raise ConfigError(
            f"{spec.name} updates its statistics when it is called, as in training: "
            "give the arguments that make it an inference, e.g. "
            "inference={'train': False}"
        ) from None
    except flax.errors.ScopeCollectionNotFound as error:
        raise ConfigError(f"{spec.name}: {_missing(error)}") from None
    except flax.errors.InvalidRngError:
        raise ConfigError(
            f"{spec.name} draws random numbers when it is called, as dropout does in "
            "training: give the arguments that make it an inference, e.g. "
            "inference={'train': False} or {'deterministic': True}"
        ) from None
    except Exception as error:  # a module may raise what it likes
        reason = _reason(error)
        raise ConfigError(
            f"{spec.name} cannot be called with inputs {example.shape} and "
            f"{dict(wrapped.inference)} ({type(error).__name__}: {reason}): check "
            "input_size, the channels of mean and std, and inference"
        ) from None
    if not isinstance(found, jax.ShapeDtypeStruct):
        raise ConfigError(
            f"{spec.name} puts out a {type(found).__name__}, but expected were logits "
            "alone: wrap it in a module that returns these"
        )
    if found.shape != (1, len(spec.classes)):
        raise ConfigError(
            f"{spec.name} puts out {found.shape[1:]} per image, but "
            f"{len(spec.classes)} classes were named: expected one logit for each"
        )


def _missing(error: Exception) -> str:
    if "batch_stats" in str(error):
        return (
            "variables has no batch_stats, which its BatchNorm layers need: expected "
            "{'params': …, 'batch_stats': …}"
        )
    return _reason(error)


def _reason(error: Exception) -> str:
    """Say on one line, and not at length, what a module raised."""
    return " ".join(str(error).split())[:300]


def _warn_of_silent_layers(wrapped: Classifier) -> None:
    silent = wrapped.silent_names
    if silent:
        warnings.warn(
            f"{wrapped.spec.name}: the statistics of {len(silent)} layer(s) are not "
            f"compared ({silent[0]}, …): only flax.linen.BatchNorm and "
            "jinv.models.operations.layers.BatchNorm can be listened to",
            JinvWarning,
            stacklevel=4,
        )
