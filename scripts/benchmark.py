#!/usr/bin/env python3
"""How fast is one inversion step, beside PyTorch, in one run on one machine?

A step is a forward pass of a CIFAR ResNet, the gradient of cross-entropy, BatchNorm
statistics and total variation with respect to the images, and an Adam update. All
contenders take turns, and the table shows medians and ratios. PyTorch is measured if it
is installed: eager and compiled, on the CPU, and on CUDA where jax runs there too.

`--forms` measures instead what the CPU forms in jinv/models/operations gain, its masks
among them.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jinv.devices import device_name, on_accelerator
from jinv.engine.phase import TEACHER
from jinv.engine.placement import make_placement
from jinv.engine.state import give, initial_state
from jinv.engine.step import make_chunk, make_step
from jinv.inversion.deep import DeepInversion
from jinv.models.classifier import Classifier
from jinv.models.loading import make_classifier
from jinv.models.operations import convolution
from jinv.models.operations.masks import largest
from jinv.models.operations.moments import moments, standardise
from jinv.models.zoo import classifier_spec

Contender = Callable[[int], int]
"""Takes at least so many steps, and when they are done returns how many they were."""

SETTINGS = DeepInversion(
    steps=(10_000,), w_tv2=0.3, jitter=0, flip=0.0, schedule="constant"
)


def jinv_step(classifier: Classifier, batch: int) -> Contender:
    """The engine's own step and chunk, on one device."""
    (phase,) = SETTINGS.procedure(classifier).phases
    placement = make_placement("jit", 1, batch)
    index, key = jnp.arange(batch), jax.random.key(1)
    params = phase.image.init(jax.random.key(0), index)
    state = initial_state(phase, params, SETTINGS.numbers)
    cast, asked = {TEACHER: classifier.variables}, {"labels": index % 10}
    given = give(cast, asked, SETTINGS.numbers, index, key, key)
    state, given = placement.put(state), placement.put(given)
    length = 50 if on_accelerator() else 1
    chunk = make_chunk(make_step({TEACHER: classifier}, phase), length)
    program = placement.compile(chunk, state, given)

    def take(steps: int) -> int:
        nonlocal state
        chunks = math.ceil(steps / length)
        for _ in range(chunks):
            state, metrics = program(state, given)
        metrics["loss"].block_until_ready()
        return chunks * length

    return take


def torch_cifar_resnet(depth: int):
    """A CIFAR ResNet in PyTorch, written as its users write it."""
    import torch.nn.functional as F
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            self.stride, self.missing = stride, after - before

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.missing:
                half = self.missing // 2
                x = x[:, :, :: self.stride, :: self.stride]
                x = F.pad(x, (0, 0, 0, 0, half, self.missing - half))
            return F.relu(x + y)

    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for after in (16, 32, 64):
        for index in range((depth - 2) // 6):
            layers.append(Block(width, after, 2 if after > 16 and index == 0 else 1))
            width = after
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers)


def torch_network(model: str):
    """A zoo model in PyTorch."""
    if model.startswith("cifar10_resnet"):
        return torch_cifar_resnet(int(model.removeprefix("cifar10_resnet")))
    if model.startswith("efficientnet_lite"):
        from efficientnet_lite_pytorch import EfficientNet

        return EfficientNet.from_name(model.replace("_", "-"))
    raise SystemExit(f"no PyTorch counterpart of {model} is at hand")


def torch_step(model: str, size: int, batch: int, device: str, compiled: bool):
    """The same step in PyTorch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    taps: list[tuple] = []

    def tap(norm, inputs):
        (x,) = inputs
        taps.append((x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False), norm))

    layout = torch.channels_last
    network = torch_network(model).eval().to(device, memory_format=layout)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(tap)
    network.requires_grad_(False)
    images = torch.randn(batch, 3, size, size, device=device).to(memory_format=layout)
    images.requires_grad_(True)
    labels = torch.arange(batch, device=device) % 10
    optimizer = torch.optim.Adam([images], lr=0.1, betas=(0.5, 0.9))

    def objective(x):
        taps.clear()
        loss = F.cross_entropy(network(x), labels)
        for mean, var, norm in taps:
            loss = loss + torch.linalg.vector_norm(norm.running_var - var)
            loss = loss + torch.linalg.vector_norm(norm.running_mean - mean)
        for difference in (
            x[..., 1:] - x[..., :-1],
            x[..., 1:, :] - x[..., :-1, :],
            x[..., 1:, 1:] - x[..., :-1, :-1],
            x[..., 1:, :-1] - x[..., :-1, 1:],
        ):
            norms = torch.linalg.vector_norm(difference.flatten(1), dim=1)
            loss = loss + 0.3 * norms.mean()
        return loss

    chosen = torch.compile(objective) if compiled else objective

    def take(steps: int) -> int:
        for _ in range(steps):
            optimizer.zero_grad()
            chosen(images).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return steps

    return take


def forms() -> dict[str, tuple[Contender, Contender]]:
    """Each CPU form beside the plain one.

    On a stage of a CIFAR ResNet's training, layers of EfficientNet-lite0, and the
    largest layer of a ResNet-18.
    """
    x = jax.random.normal(jax.random.key(0), (128, 32, 32, 16))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 16, 16))

    def repeat(function, *arguments) -> Contender:
        compiled = jax.jit(function).lower(*arguments).compile()

        def take(steps: int) -> int:
            jax.block_until_ready([compiled(*arguments) for _ in range(steps)])
            return steps

        return take

    def plain_moments(x):
        mean = jnp.mean(x, (0, 1, 2))
        return mean, jnp.mean(jnp.square(x - mean), (0, 1, 2))

    def plain_standardise(x):
        mean, var = plain_moments(x)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5)

    def gradient(function):
        return jax.grad(lambda a: jnp.sum(function(a) * x))

    def weight_gradient(convolve):
        return jax.grad(lambda w, x: jnp.sum(convolve(x, w) * x))

    def plain_convolve(x, w):
        return jax.lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def inversion(convolve, channels, kernel, stride):
        """Gradient with respect to the input of one convolution."""
        margins, groups = ((1, 1), (1, 1)), channels // kernel.shape[2]
        side = 112 if groups > 1 else 224
        images = jax.random.normal(jax.random.key(2), (8, side, side, channels))

        def gradient(x, w):
            y, pull = jax.vjp(lambda a: convolve(a, w, stride, margins, groups), x)
            return pull(y)

        return repeat(gradient, images, kernel)

    def plain(x, w, stride, margins, groups):
        return convolution._convolve(stride, margins, groups, x, w)

    def both(channels, kernel, stride):
        return tuple(
            inversion(form, channels, kernel, stride)
            for form in (plain, convolution.convolve)
        )

    def sorted_largest(scores):
        return scores >= jnp.sort(scores.ravel())[-(scores.size // 2)]

    scores = jnp.abs(jax.random.normal(jax.random.key(5), (3, 3, 512, 512)))
    margins = ((1, 1), (1, 1))
    depthwise = jax.random.normal(jax.random.key(3), (3, 3, 1, 32))
    stem = jax.random.normal(jax.random.key(4), (3, 3, 3, 32))
    return {
        "moments of a batch": (repeat(plain_moments, x), repeat(moments, x)),
        "BatchNorm in training, gradient": (
            repeat(gradient(plain_standardise), x),
            repeat(gradient(lambda a: standardise(a, 1e-5)[0]), x),
        ),
        "3x3 convolution, weight gradient": (
            repeat(weight_gradient(plain_convolve), kernel, x),
            repeat(
                weight_gradient(lambda x, w: convolution.convolve(x, w, 1, margins)),
                kernel,
                x,
            ),
        ),
        "depthwise 3x3, input gradient": both(32, depthwise, 1),
        "depthwise 3x3 stride 2, input gradient": both(32, depthwise, 2),
        "RGB stem 3x3 stride 2, input gradient": both(3, stem, 2),
        "larger half of 2.4 million scores": (
            repeat(sorted_largest, scores),
            repeat(partial(largest, count=scores.size // 2), scores),
        ),
    }


def measure(
    contenders: dict[str, Contender], repeats: int, steps: int
) -> dict[str, float]:
    """Median seconds of a step, the contenders taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for take in contenders.values():
        take(2)
    for _ in range(repeats):
        for name, take in contenders.items():
            start = time.perf_counter()
            taken = take(steps)
            seconds[name].append((time.perf_counter() - start) / taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def table(title: str, medians: dict[str, float], baseline: str) -> None:
    """Print a Markdown table."""
    print(f"\n| {title} | median, ms | speed, {baseline} = 1 |\n|---|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {1e3 * value:.1f} | {medians[baseline] / value:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cifar10_resnet20", help="of the zoo")
    parser.add_argument("--batch-size", type=int, default=64, help="images in a step")
    parser.add_argument(
        "--repeats", type=int, default=9, help="turns of each contender"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps in a turn")
    parser.add_argument("--forms", action="store_true", help="the CPU forms instead")
    options = parser.parse_args()
    print(f"{device_name()}, jax {jax.__version__}", end="")
    if options.forms:
        for name, (plain, form) in forms().items():
            pair = {"plain": plain, "as in jinv": form}
            table(name, measure(pair, options.repeats, options.steps), "plain")
        return
    spec = classifier_spec(options.model)
    classifier = make_classifier(spec)
    contenders = {"jinv": jinv_step(classifier, options.batch_size)}
    try:
        import torch
    except ImportError:
        print("\nPyTorch is not installed: pip install 'jinv[torch]' to compare")
    else:
        device = "cuda" if on_accelerator() and torch.cuda.is_available() else "cpu"
        print(
            f", PyTorch {torch.__version__} on {device}, "
            f"{torch.get_num_threads()} threads",
            end="",
        )
        for name, compiled in (("PyTorch eager", False), ("torch.compile", True)):
            step = torch_step(
                spec.name, spec.input_size, options.batch_size, device, compiled
            )
            try:
                step(1)
            except Exception as error:  # whatever a missing compiler raises
                print(f"\n{name} failed: {str(error).splitlines()[0]}")
                continue
            contenders[name] = step
    baseline = "PyTorch eager" if "PyTorch eager" in contenders else "jinv"
    medians = measure(contenders, options.repeats, options.steps)
    title = f"one inversion step, {spec.name}, batch {options.batch_size}"
    table(title, medians, baseline)


if __name__ == "__main__":
    main()
