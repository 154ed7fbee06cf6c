"""Checkpoints as public projects write them, by a name that tells the project."""

import gzip
import pickle
from collections import Counter, defaultdict

import flax
import jax
import jax.numpy as jnp
import numpy as np
from checkpoint_makers import (
    bfloat,
    dataset_scalar,
    float8,
    inner,
    module_of,
    namespace,
    npz,
    old_names,
    optimizer,
    other,
    plain_pickle,
    prefixed,
    pruned,
    scripted,
    spoiled,
    train_state,
    weight_norm,
    with_counters,
    zipped,
)
from flax.traverse_util import flatten_dict
from safetensors.numpy import save
from torch_writer import Made, Named, Tensor, archive, legacy, tensors

EXACT = {
    # PyTorch, zip archives
    "torch-plain": lambda s, v: archive(tensors(s)),
    "torch-parameters": lambda s, v: archive(tensors(s, wrap="parameter")),
    "torch-parameters-with-state": lambda s, v: archive(tensors(s, wrap="state")),
    "torch-subclass-or-buffer": lambda s, v: archive(tensors(s, wrap="subclass")),
    "torchvision-reference": lambda s, v: archive(
        {
            "model": tensors(s),
            "optimizer": optimizer(s),
            "lr_scheduler": {
                "_step_count": 3,
                "base_lrs": [0.1],
                "anneal": Named("torch.optim.lr_scheduler.fn"),
            },
            "epoch": 3,
            "args": namespace(
                device="cuda", data=Made("pathlib.PosixPath", "data", new=False)
            ),
            "scaler": {"scale": 65536.0},
        }
    ),
    "torchvision-ema": lambda s, v: archive(
        {
            "model": tensors(s),
            "model_ema": {
                "n_averaged": Tensor(np.array(3)),
                **tensors(prefixed("module.", other(s))),
            },
        }
    ),
    "kuangliu-cifar": lambda s, v: archive(
        {"net": tensors(prefixed("module.", s)), "acc": 93.1, "epoch": 12}
    ),
    "kuangliu-numpy-accuracy": lambda s, v: archive(
        {"net": tensors(s), "acc": dataset_scalar()}
    ),
    "kuangliu-tensor-accuracy": lambda s, v: archive(
        {"net": tensors(s), "acc": Tensor(np.float32(93.1)), "epoch": 12}
    ),
    "pytorch-examples-imagenet": lambda s, v: archive(
        {
            "epoch": 90,
            "arch": "resnet18",
            "state_dict": tensors(prefixed("module.", s)),
            "best_acc1": Tensor(np.float32(69.7)),
            "optimizer": optimizer(s),
        }
    ),
    "model-state-dict": lambda s, v: archive(
        {"model_state_dict": tensors(s), "loss": 0.3}
    ),
    "weights-key": lambda s, v: archive({"weights": tensors(s)}),
    "params-basicsr": lambda s, v: archive(
        {"params": tensors(s), "params_ema": tensors(other(s))}
    ),
    "timm-train": lambda s, v: archive(
        {
            "epoch": 1,
            "arch": "x",
            "version": 2,
            "state_dict": tensors(s),
            "state_dict_ema": tensors(other(s)),
            "args": namespace(mean=None),
            "metric": 77.1,
        }
    ),
    "deit": lambda s, v: archive(
        {"model": tensors(s), "scaler": {}, "args": namespace()}
    ),
    "lightning-model": lambda s, v: archive(
        {
            "epoch": 9,
            "pytorch-lightning_version": "2.1.0",
            "state_dict": tensors(prefixed("model.", s))
            | {"criterion.weight": Tensor(np.ones(6, "f4"))},
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {
                "ModelCheckpoint{'monitor': 'val'}": {
                    "best_model_score": Tensor(np.float32(0.9))
                }
            },
            "optimizer_states": [optimizer(s)],
            "hyper_parameters": Made(
                "pytorch_lightning.utilities.parsing.AttributeDict", items={"lr": 0.1}
            ),
            "datamodule_hparams_name": Named("builtins.dict"),
        }
    ),
    "lightning-net": lambda s, v: archive(
        {"state_dict": tensors(prefixed("net.", s) | {"loss.weight": np.ones(2)})}
    ),
    "student-backbone": lambda s, v: archive(
        {
            "model": tensors(
                prefixed("student.backbone.", s) | {"student.head.w": np.ones(2)}
            )
        }
    ),
    "teacher": lambda s, v: archive(
        tensors(prefixed("teacher.", s) | {"student.conv1.weight": np.ones(2)})
    ),
    "module-model": lambda s, v: archive(tensors(prefixed("module.model.", s))),
    "torch-compile": lambda s, v: archive(tensors(prefixed("_orig_mod.", s))),
    "compile-in-parallel": lambda s, v: archive(
        tensors(prefixed("module._orig_mod.", s))
    ),
    "fsdp": lambda s, v: archive(
        tensors(
            {
                "_fsdp_wrapped_module."
                + k.replace("layer1.", "layer1._checkpoint_wrapped_module."): x
                for k, x in s.items()
            }
        )
    ),
    "old-torchvision-features-module": lambda s, v: archive(tensors(old_names(s))),
    "thop-counters": lambda s, v: archive(tensors(with_counters(s))),
    "inception-aux": lambda s, v: archive(
        tensors(s | {"AuxLogits.fc.weight": np.ones((2, 2))})
    ),
    "swa-utils": lambda s, v: archive(
        {"n_averaged": Tensor(np.array(3))} | tensors(prefixed("module.", s))
    ),
    "ema-only": lambda s, v: archive({"ema": tensors(s), "updates": 100}),
    "ema-pytorch": lambda s, v: archive(
        tensors(prefixed("ema_model.", s) | {"initted": np.ones(1), "step": np.ones(1)})
    ),
    "two-equal-copies": lambda s, v: archive({"best": tensors(s), "last": tensors(s)}),
    "pruned": lambda s, v: archive(tensors(pruned(s))),
    "robustness-library": lambda s, v: archive(
        {
            "model": tensors(
                prefixed("module.model.", s)
                | prefixed("module.attacker.model.", s)
                | {
                    "module.normalizer.new_mean": np.full((3, 1, 1), 0.5, "f4"),
                    "module.normalizer.new_std": np.full((3, 1, 1), 0.25, "f4"),
                }
            )
        }
    ),
    "sequential-normalise": lambda s, v: archive(
        tensors(
            prefixed("1.", s)
            | {"0.mean": np.full(3, 0.5, "f4"), "0.std": np.full(3, 0.25, "f4")}
        )
    ),
    "normalise-in-the-network": lambda s, v: archive(
        tensors(
            s
            | {
                "mu": np.full((1, 3, 1, 1), 0.5, "f4"),
                "sigma": np.full((1, 3, 1, 1), 0.25, "f4"),
            }
        )
    ),
    "mmclassification": lambda s, v: archive(
        {
            "meta": {
                "env_info": "x",
                "time": Made(
                    "datetime.datetime", b"\x07\xe8\1\2\3\4\5\0\0\0", new=False
                ),
                "CLASSES": ["a"],
            },
            "state_dict": tensors(prefixed("backbone.", s)),
        }
    ),
    "detectron-numpy": lambda s, v: plain_pickle(
        {"model": dict(s), "__author__": "x", "matching_heuristics": True}
    ),
    "whole-module": lambda s, v: archive(module_of(s)),
    "whole-module-in-parallel": lambda s, v: archive(
        Made(
            "torch.nn.parallel.DataParallel",
            state={
                "_parameters": {},
                "_buffers": {},
                "_modules": {"module": module_of(s)},
                "device_ids": [0],
            },
        )
    ),
    "yolo-module-in-dictionary": lambda s, v: archive(
        {"epoch": -1, "model": module_of(s), "ema": None, "opt": namespace()}
    ),
    "torchscript": lambda s, v: archive(scripted(s)),
    "counter-and-default": lambda s, v: archive(
        {
            "model": tensors(s),
            "counts": Counter(a=3),
            "log": defaultdict(list, a=[1]),
            "seen": {1, 2},
            "frozen": frozenset((1, 2)),
            "keys": {(1, 2): 3, None: 4, 2.5: 6, "ok": 7},
            "pair": complex(1, 2),
        }
    ),
    "torch-odds": lambda s, v: archive(
        {
            "model": tensors(s),
            "size": Made("torch.Size", (1, 2), new=False),
            "device": Made("torch.device", "cuda", 0, new=False),
            "dtype": Named("torch.float32"),
            "rng": Tensor(np.zeros(8, "u1")),
            "generator": Named("torch.Generator"),
        }
    ),
    "random-states": lambda s, v: archive(
        {
            "model": tensors(s),
            "numpy": ("MT19937", np.arange(624, dtype="u4"), 624, 0, 0.0),
            "generator": Made(
                "numpy.random._pickle.__generator_ctor",
                "PCG64",
                new=False,
                state={"state": {"inc": 2**100}},
            ),
            "python": (3, tuple(range(625)), None),
        }
    ),
    "omegaconf": lambda s, v: archive(
        {
            "state_dict": tensors(s),
            "cfg": Made(
                "omegaconf.dictconfig.DictConfig",
                state={
                    "_content": {
                        "lr": Made("omegaconf.nodes.AnyNode", state={"_val": 0.1})
                    },
                    "_parent": None,
                },
            ),
        }
    ),
    "easydict": lambda s, v: archive(
        Made("easydict.EasyDict", items={"model": tensors(s), "lr": 1}, state={"lr": 1})
    ),
    "enum": lambda s, v: archive(
        {
            "net": tensors(s),
            "mode": Made("their.Mode", 3, new=False),
            "by": Made("builtins.getattr", Named("their.Mode"), "A", new=False),
        }
    ),
    "numpy-strings": lambda s, v: archive(
        {
            "net": tensors(s),
            "names": np.array(["a", "b"]),
            "objects": np.array([{}, None]),
        }
    ),
    "structured-array": lambda s, v: archive(
        {"net": tensors(s), "log": np.zeros(2, [("a", "f4")])}
    ),
    "quantised-beside": lambda s, v: archive(
        {"net": tensors(s), "q": Tensor(np.ones(3), "qint8", "quantised")}
    ),
    "complex-beside": lambda s, v: archive(
        {"net": tensors(s), "z": Tensor(np.ones(3, "c8"), "c8")}
    ),
    "list-of-dictionaries": lambda s, v: archive([{"epoch": 3}, tensors(s)]),
    "fabric-tuple": lambda s, v: archive((tensors(s), 3)),
    "deepspeed": lambda s, v: archive(
        {"module": tensors(s), "buffer_names": ["x"], "ds_config": {}}
    ),
    "accelerate-nested": lambda s, v: archive({"a": {"b": {"c": tensors(s)}}}),
    "ignite": lambda s, v: archive(
        {"model": tensors(s), "trainer": {"rng_states": [1]}}
    ),
    "classy-vision": lambda s, v: archive(
        {
            "classy_state_dict": {
                "base_model": {"model": {"trunk": tensors(s), "heads": {}}}
            }
        }
    ),
    "vissl-hooks": lambda s, v: archive(
        {
            "model": tensors(s),
            "hook": Made(
                "functools.partial",
                Named("os.system"),
                new=False,
                state=(1, 2, {}, None),
            ),
        }
    ),
    "half": lambda s, v: archive(tensors({k: x.astype("f2") for k, x in s.items()})),
    "double": lambda s, v: archive(tensors({k: x.astype("f8") for k, x in s.items()})),
    "bfloat16": lambda s, v: archive(tensors(s, code="bf16")),
    # PyTorch before 1.6
    "old-format": lambda s, v: legacy(
        {"state_dict": tensors(prefixed("module.", s)), "best_prec1": 91.7}
    ),
    "old-format-namespace": lambda s, v: legacy(
        {"net": tensors(s), "args": namespace(a=1)}
    ),
    "old-format-bfloat16": lambda s, v: legacy(tensors(s, code="bf16")),
    "old-format-quantised": lambda s, v: legacy(
        {"net": tensors(s), "q": Tensor(np.ones(3), "qint8", "quantised")}
    ),
    "old-format-module": lambda s, v: legacy(module_of(s)),
    # Pickles
    "pickle-numpy": lambda s, v: plain_pickle(dict(s)),
    "pickle-numpy-protocol-0": lambda s, v: pickle.dumps(dict(s), 0),
    "pickle-numpy-protocol-2": lambda s, v: pickle.dumps({"state": dict(s)}, 2),
    "pickle-dump-of-tensors": lambda s, v: plain_pickle(inner(s), 3),
    "flax-pickle": lambda s, v: pickle.dumps(v),
    "flax-pickle-of-jax-arrays": lambda s, v: pickle.dumps(
        jax.tree.map(jnp.asarray, v)
    ),
    "flax-frozen": lambda s, v: pickle.dumps(flax.core.freeze(v)),
    "flax-pickle-in-dictionary": lambda s, v: pickle.dumps({"model": v, "epoch": 3}),
    # Others
    "npz": lambda s, v: npz(s),
    "npz-flat-flax": lambda s, v: npz(
        {"/".join(k): x for k, x in flatten_dict(v).items()}
    ),
    "npz-big-vision": lambda s, v: npz(
        {"opt/" + "/".join(k): x + 1 for k, x in flatten_dict(v).items()}
        | {"/".join(k): x for k, x in flatten_dict(v).items()}
    ),
    "safetensors": lambda s, v: save(s),
    "safetensors-timm": lambda s, v: save(
        s | {"bn1.num_batches_tracked": np.array(3)}, {"format": "pt"}
    ),
    "safetensors-flax": lambda s, v: save(
        {".".join(k): x for k, x in flatten_dict(v).items()}
    ),
    "safetensors-prefix": lambda s, v: save(prefixed("model.", s) | {"z": np.ones(2)}),
    "safetensors-bfloat16": lambda s, v: save(bfloat(s)),
    "msgpack-variables": lambda s, v: flax.serialization.to_bytes(v),
    "msgpack-train-state": lambda s, v: flax.serialization.to_bytes(train_state(v)),
    "msgpack-checkpoint": lambda s, v: flax.serialization.msgpack_serialize(
        {"model": v, "config": {"lr": 0.1, "name": "x"}, "step": 2**40}
    ),
}
"""By kind of project: from a state dict and variables to a file that loads."""

REFUSED = {
    "quantised": (
        lambda s, v: archive(
            tensors(s)
            | {"conv1.weight": Tensor(s["conv1.weight"], "qint8", "quantised")}
        ),
        r"tensor conv1.weight is .*_rebuild_qtensor, which is not read",
    ),
    "complex": (
        lambda s, v: archive(
            tensors(s) | {"fc.bias": Tensor(s["fc.bias"].astype("c8"), "c8")}
        ),
        "tensor fc.bias is a tensor of torch.ComplexFloatStorage",
    ),
    "complex-safetensors": (
        lambda s, v: save(s | {"fc.bias": s["fc.bias"].astype("c8")}),
        "fc.bias holds complex numbers",
    ),
    "stranger-among-weights": (
        lambda s, v: archive(
            {**tensors(s), "fc.bias": Made("os.system", "true", new=False)}
        ),
        "tensor fc.bias is os.system, which is not read",
    ),
    "infinite": (
        spoiled("fc.bias", lambda x: x + np.inf),
        "tensor fc.bias is not finite",
    ),
    "nan": (
        spoiled("conv1.weight", lambda x: x * np.nan),
        "tensor conv1.weight is not finite",
    ),
    "too-large": (
        spoiled("fc.bias", lambda x: x.astype("f8") + 1e300),
        "tensor fc.bias is not finite",
    ),
    "negative-variance": (
        spoiled("bn1.running_var", lambda x: -1 - x),
        "bn1.running_var has variances below 0",
    ),
    "two-that-differ": (
        lambda s, v: archive({"best": tensors(s), "last": tensors(other(s))}),
        "copies .*best/bn1.bias and last/bn1.bias",
    ),
    "student-and-teacher": (
        lambda s, v: archive(
            tensors(prefixed("student.", s) | prefixed("teacher.", other(s)))
        ),
        "copies .*student.bn1.bias and teacher.bn1.bias",
    ),
    "two-in-one-place": (
        lambda s, v: archive(tensors(s | {"module.fc.bias": s["fc.bias"] + 1})),
        "two copies .*fc.bias and module.fc.bias",
    ),
    "other-classes": (
        lambda s, v: archive(
            {
                "net": tensors(
                    s | {"fc.weight": np.ones((10, 8)), "fc.bias": np.ones(10)}
                )
            }
        ),
        "10 classes apart, not 6.*--class-names",
    ),
    "another-architecture": (
        lambda s, v: archive(
            tensors({"stem.conv.weight": np.ones(3), "blocks.0.weight": np.ones(3)})
        ),
        r"misses tensor .* and \d+ more; it has stem.conv.weight, blocks.0.weight",
    ),
    "deeper-network": (
        lambda s, v: archive(
            {"net": tensors(s | {"layer3.0.conv1.weight": np.ones(3)})}
        ),
        "unexpected tensor layer3.0.conv1.weight",
    ),
    "deeper-flax": (
        lambda s, v: pickle.dumps(
            v | {"params": {**v["params"], "layer9": {"kernel": np.ones((2, 2))}}}
        ),
        "unexpected tensor layer9.weight",
    ),
    "half-of-a-prefix": (
        lambda s, v: archive(
            tensors(
                {f"net.{k}": x for k, x in s.items() if k != "fc.bias"}
                | {"head.fc.bias": np.ones(6)}
            )
        ),
        "misses tensor fc.bias behind net.; it has head.fc.bias",
    ),
    "optimizer-only": (
        lambda s, v: archive({"optimizer": optimizer(s)}),
        "misses tensor",
    ),
    "no-arrays": (
        lambda s, v: archive({"epoch": 3, "args": namespace()}),
        "holds no weights, but argparse.Namespace, of which nothing was run",
    ),
    "mask-of-another-shape": (
        lambda s, v: archive(tensors(pruned(s) | {"conv1.weight_mask": np.ones(3)})),
        "mask of conv1.weight has another shape",
    ),
    "weight-norm": (
        lambda s, v: archive(tensors(weight_norm(s))),
        "misses tensor fc.weight; it has fc.parametrizations.weight.original0",
    ),
    "joblib": (
        lambda s, v: b"\x80\x04}\x8c\1aK\1s\n\xff\xff",
        "it is damaged, or of a kind that is not read",
    ),
    "float8": (lambda s, v: float8(s), "tensor fc.bias is a tensor of F8_E4M3"),
    "big-endian": (
        lambda s, v: archive(tensors(s)).replace(b"little", b"bigbig"),
        "cannot read",
    ),
    "empty": (lambda s, v: b"", "it is empty"),
    "zeros": (lambda s, v: b"\0" * 5000, "nothing but zeros"),
    "half-zip": (lambda s, v: archive(tensors(s))[:2000], "beginning of a zip archive"),
    "half-safetensors": (lambda s, v: save(s)[:200], "beginning of a safetensors file"),
    "half-safetensors-data": (lambda s, v: save(s)[:-100], "cannot read"),
    "half-msgpack": (
        lambda s, v: flax.serialization.to_bytes(v)[:-100],
        "ends too early",
    ),
    "half-old-format": (lambda s, v: legacy(tensors(s))[:-100], "cannot read"),
    "half-pickle": (lambda s, v: pickle.dumps(v)[:-100], "cannot read"),
    "git-lfs": (
        lambda s, v: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "git lfs pull",
    ),
    "html": (
        lambda s, v: b"\n<!DOCTYPE html><html>Google Drive</html>",
        "it is a web page",
    ),
    "json": (lambda s, v: b'{"lr": 0.1}', "it is JSON"),
    "yaml": (lambda s, v: b"model:\n  depth: 20\n", "it is YAML"),
    "text": (lambda s, v: b"accuracy 93", "it is text"),
    "script": (lambda s, v: b"# a net\nimport torch\n", "a Python script"),
    "gzip": (lambda s, v: gzip.compress(b"x"), "a gzip archive: unpack"),
    "7z": (lambda s, v: b"7z\xbc\xaf\x27\x1c" + b"\0" * 40, "a 7z archive: unpack"),
    "rar": (lambda s, v: b"Rar!\x1a\7\1\0", "a rar archive: unpack"),
    "tar": (
        lambda s, v: b"w.pth".ljust(257, b"\0") + b"ustar\0" + b"00".ljust(300, b"\0"),
        "a tar archive: unpack",
    ),
    "zip-of-files": (
        lambda s, v: zipped(**{"w.pth": b"x"}),
        "zip archive without arrays",
    ),
    "hdf5": (lambda s, v: b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "HDF5 file, as Keras"),
    "keras": (
        lambda s, v: zipped(**{"config.json": b"{}", "model.weights.h5": b"x"}),
        "a model of Keras",
    ),
    "onnx": (
        lambda s, v: b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xff\x01",
        "a model in ONNX",
    ),
    "gguf": (lambda s, v: b"GGUF\3\0\0\0", "a GGUF file"),
    "png": (lambda s, v: b"\x89PNG\r\n\x1a\n" + b"\0" * 9, "an image .PNG"),
    "jpeg": (lambda s, v: b"\xff\xd8\xff\xe0", "an image .JPEG"),
    "npy": (lambda s, v: b"\x93NUMPY\1\0v\0{'descr'", "a single array of NumPy"),
    "tflite": (lambda s, v: b"\x1c\0\0\0TFL3" + b"\0" * 8, "TensorFlow Lite"),
    "tf-index": (
        lambda s, v: b"\0\0\1\1" * 9 + bytes.fromhex("57fb808b247547db"),
        "a checkpoint of TensorFlow",
    ),
    "tf-list": (lambda s, v: b'model_checkpoint_path: "m-1"\n', "list of TensorFlow"),
    "noise": (
        lambda s, v: bytes(range(160, 200)),
        "of no kind that is known: expected safetensors",
    ),
}
"""By kind of project: what makes the file, and what is said of it."""
