"""A search over reconstructions of photographs, from the words of its options."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinv.cli.job_options import WorkOptions, settings_in
from jinv.cli.reconstruct import defaults, read_photographs
from jinv.cli.search_objective import ObjectiveOptions
from jinv.data.photographs import names_of, photographs_in
from jinv.errors import ConfigError
from jinv.inversion.job import Job
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.reconstruction.presets import find_reconstruction
from jinv.reconstruction.reconstruct import make_reconstruction

_OF_CLASSES = (
    *("classes", "company", "method", "student", "judge", "judge_weights", "grid"),
    *("images", "real", "real_split", "real_images", "extractor", "feature"),
)
"""Options that say nothing of photographs."""


def defaults_of_photographs(words: Sequence[str]) -> dict[str, Any]:
    """Defaults of a search over reconstructions, by name, given the words.

    Raises:
        ConfigError: One of the words is an option that says nothing of photographs.
    """
    given = settings_in(words)
    for name in _OF_CLASSES:
        if name in given:
            raise ConfigError(
                f"{given[name]} is for images of classes, and says nothing of those "
                "that --reconstruct asks for: leave it out"
            )
    options = defaults(words)
    return {
        "model": options.model,
        "preset": options.preset,
        "settings": options.settings,
        "before": options.before,
        "aim": ObjectiveOptions("relative_squared_error"),
    }


def prepare_reconstruction(
    options: WorkOptions, photographs: Sequence[Path], settings: FeatureInversion
) -> Job:
    """Load and check what is to be reconstructed in each trial."""
    find_reconstruction(options.preset or "default").check_priors(options.prior)
    paths = photographs_in(photographs)
    network = options.network()
    return make_reconstruction(
        network,
        read_photographs(paths, network),
        settings.layers,
        names=names_of(paths),
        method=settings.follow(options.before),
        batch_size=options.batch_size,
        seed=options.seed,
        execution=options.execution,
        **options.learned_priors(),
    )
