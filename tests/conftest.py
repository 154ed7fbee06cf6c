"""Two virtual CPU devices stand in for a multi-GPU node."""

import gc
import os
import tempfile
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.data.labelled import ArrayImages
from jinv.models.architectures.resnet import ResNet
from jinv.models.classifier import Classifier
from jinv.models.spec import ClassifierSpec

# Before the first computation, which fixes both: programs as small as these take far
# longer to optimise than to run. So they are compiled in the simplest way, which takes
# half the time.
os.environ["XLA_FLAGS"] = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1"
)
jax.config.update("jax_num_cpu_devices", 2)
# Nobody looks up in which line of Python an operation of a program was made.
jax.config.update("jax_traceback_in_locations_limit", 0)
# Who means to broadcast says over which axes.
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    # Compiling is most of what tests do, and many compile the same programs.
    folder = _programs(config)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    # Those in processes of their own too.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"


def pytest_collection_finish():
    # What was imported stays, and tracing leaves much behind: to look through it all
    # again and again would take a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


LONGEST = (
    "models/test_parity.py",
    "cli/test_bad_input.py",
    "cli/test_synthesize.py",
    "supermask/test_search.py",
    "models/test_zoo.py",
    "inversion/test_fast.py",
    "cli/test_evaluate.py",
    "cli/test_invert.py",
    "engine/test_run.py",
    "search/test_study.py",
    "cli/test_search.py",
    "cli/test_own_network.py",
    "engine/test_parallel.py",
    "inversion/test_natural.py",
    "inversion/test_deep.py",
)
"""Files that begin first, so that all processes end together."""


def pytest_collection_modifyitems(items):
    tests = Counter(item.path for item in items)

    def place(item):
        name = "/".join(item.path.parts[-2:])
        early = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return early, -tests[item.path]

    items.sort(key=place)


def _programs(config) -> str:
    """Where compiled programs are kept: where somebody says, or beside pytest's own."""
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if given or not hasattr(config, "cache"):  # without pytest's cacheprovider
        return given or str(Path(tempfile.gettempdir()) / "jinv-tests-xla")
    return str(config.cache.mkdir("xla"))


CLASSES = ("apple", "boat", "cat", "dog", "egg", "fish")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JINV_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture
def eight(monkeypatch):
    """Let there be eight devices, for those who only count them."""
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    mesh = jax.sharding.AbstractMesh
    monkeypatch.setattr(
        jax, "make_mesh", lambda shape, names, *_, **__: mesh(shape, names)
    )


@pytest.fixture(scope="session")
def tiny() -> Classifier:
    """A ResNet of five BatchNorm layers for 8x8 images, with lively statistics."""
    spec = ClassifierSpec(
        name="tiny",
        build=partial(ResNet, (1, 1), (4, 8), stem="cifar"),
        classes=CLASSES,
        input_size=8,
    )
    module = spec.make_module()

    @jax.jit
    def make(keys):
        keys = iter(keys)
        variables = module.init(next(keys), jnp.zeros((1, 8, 8, 3)))
        statistics = jax.tree.map(
            lambda x: jnp.abs(x + 0.3 * jax.random.normal(next(keys), x.shape)),
            variables["batch_stats"],
        )
        return {**variables, "batch_stats": statistics}

    return Classifier(spec, module, make(jax.random.split(jax.random.key(7), 100)))


@pytest.fixture(scope="session")
def unnormalised(tiny) -> Classifier:
    """A classifier without BatchNorm."""
    import flax.linen as nn

    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(4, (3, 3))(x))
            return nn.Dense(6)(x.mean((1, 2)))

    module = Plain()
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    return Classifier(replace(tiny.spec, name="plain"), module, dict(variables))


@pytest.fixture(scope="session")
def stripes() -> tuple[ArrayImages, ArrayImages]:
    """Training and test images for `tiny`, whose class is their colour, in noise."""

    def make(count, seed):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 6, count)
        images = rng.integers(0, 100, (count, 8, 8, 3))
        images[..., 0] += 50 * (labels % 3)[:, None, None]
        images[..., 1] += 100 * (labels // 3)[:, None, None]
        return ArrayImages(images.astype(np.uint8), labels)

    return make(384, 0), make(120, 1)
