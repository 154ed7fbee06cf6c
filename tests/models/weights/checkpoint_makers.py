"""Parts of checkpoints as public projects write them."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict

import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState
from safetensors.numpy import save
from torch_writer import Made, Tensor, archive, legacy, program, tensors


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def other(state):
    return {key: value + 0.5 for key, value in state.items()}


def namespace(**entries):
    return Made("argparse.Namespace", state=entries)


def optimizer(state):
    moments = {"step": 5, "exp_avg": Tensor(np.ones(3, "f4"))}
    return {"state": {0: moments, 1: moments}, "param_groups": [{"lr": 0.1}]}


def dataset_scalar():
    kind = Made(
        "numpy.dtype",
        "f8",
        False,
        True,
        new=False,
        state=(3, "<", None, None, None, -1, -1, 0),
    )
    return Made("numpy.core.multiarray.scalar", kind, "\0" * 8, new=False)


def module_of(state):
    """A pickled torch.nn.Module."""
    tree = {}
    for key, value in state.items():
        node = tree
        *path, leaf = key.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = value

    def made(node):
        own = {k: v for k, v in node.items() if not isinstance(v, dict)}
        statistics = {k: Tensor(v) for k, v in own.items() if k.startswith("running")}
        weights = {
            k: Tensor(v, wrap="parameter")
            for k, v in own.items()
            if k not in statistics
        }
        below = {k: made(v) for k, v in node.items() if isinstance(v, dict)}
        return Made(
            "their.models.Net",
            state={
                "training": False,
                "_parameters": OrderedDict(weights, missing=None),
                "_buffers": OrderedDict(statistics),
                "_non_persistent_buffers_set": set(),
                "_forward_hooks": OrderedDict(),
                "prototypes": Tensor(np.ones(4, "f4")),
                "_modules": OrderedDict(below),
            },
        )

    return made(tree)


def scripted(state):
    """A TorchScript archive's objects, whose attributes are all in one dictionary."""
    tree = {}
    for key, value in state.items():
        node = tree
        *path, leaf = key.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = Tensor(value)

    def made(node):
        children = {k: made(v) if isinstance(v, dict) else v for k, v in node.items()}
        sizes = Made("torch.jit._pickle.build_intlist", [0, 0], new=False)
        attributes = {"training": True, "_padding": sizes, **children}
        return Made("__torch__.models.Net", state=attributes)

    return made(tree)


def pruned(state):
    found = dict(state)
    weight = found.pop("conv1.weight")
    # What the mask takes away is 0 in the network.
    found["conv1.weight_orig"] = weight
    found["conv1.weight_mask"] = np.ones_like(weight)
    return found


def weight_norm(state):
    """As parametrizations keep it, whose product is not taken here."""
    found = dict(state)
    weight = found.pop("fc.weight")
    found["fc.parametrizations.weight.original0"] = np.ones((6, 1), "f4")
    found["fc.parametrizations.weight.original1"] = weight
    return found


def old_names(state):
    """Of torchvision's and others' models with DataParallel inside."""
    return {
        key.replace("layer1.0.", "layer1.module.0.").replace(
            "downsample", "shortcut"
        ): v
        for key, v in state.items()
    }


def with_counters(state):
    return state | {
        "bn1.num_batches_tracked": np.array(7),
        "total_ops": np.zeros(1),
        "layer1.0.conv1.total_params": np.zeros(1),
    }


def inner(state):
    """Tensors that went through pickle.dump: each storage is a file in the file."""
    found = {}
    for key, value in state.items():
        # The storage alone, as torch.save writes it in its old format.
        whole = legacy(Tensor(value))
        bare = _bare_storage(value)
        assert whole[:20] == bare[:20]
        storage = Made("torch.storage._load_from_bytes", bare, new=False)
        strides = tuple(n // 4 for n in np.empty(value.shape, "f4").strides)
        place = (storage, 0, value.shape, strides, False, OrderedDict())
        found[key] = Made("torch._utils._rebuild_tensor_v2", *place, new=False)
    return found


def _bare_storage(value):
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"a": 1})]
    size = value.size
    code = (
        b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"
        + b"J"
        + size.to_bytes(4, "little")
        + b"NtQ."
    )
    data = np.ascontiguousarray(value, "<f4").tobytes()
    tail = pickle.dumps(["0"], 2) + size.to_bytes(8, "little") + data
    return b"".join([*head, code, tail])


def npz(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def plain_pickle(content, protocol=4):
    return program(content, protocol)[0]


def train_state(variables):
    class State(TrainState):
        batch_stats: dict

    return State.create(
        apply_fn=lambda: None,
        params=variables["params"],
        tx=optax.adam(1e-3),
        batch_stats=variables["batch_stats"],
    )


def bfloat(state):
    return {key: np.asarray(jnp.asarray(v, jnp.bfloat16)) for key, v in state.items()}


def spoiled(key, change):
    return lambda s, v: archive(tensors(s | {key: change(s[key])}))


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def float8(state):
    """A .safetensors file that NumPy has no type for."""
    whole = save({k: x for k, x in state.items() if k != "fc.bias"})
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    end = len(whole) - 8 - size
    header["fc.bias"] = {
        "dtype": "F8_E4M3",
        "shape": [6],
        "data_offsets": [end, end + 6],
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + size :] + b"\0" * 6
