"""Files that somebody made to harm their reader; see also scripts/fuzz_weights.py."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from jinv.errors import WeightsError
from jinv.models.weights.hidden_networks import FrozenWeights, write_supermask
from jinv.models.weights.reading import read_tensors, read_weights

DTYPE = b"cnumpy\ndtype\n(X\x02\0\0\0%sI0\nI1\ntR"
PLAIN = b"(I3\nX\x01\0\0\0<NNNI-1\nI-1\nI0\ntb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntX\x01\0\0\0btR"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n("
STORAGE = (
    b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuI8\ntQ"
)


def state(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """Sets what an array holds."""
    size = len(data).to_bytes(4, "little")
    return b"(I1\n" + shape + dtype + b"I00\nB" + size + data + b"tb"


def in_a_dictionary(value: bytes) -> bytes:
    return b"\x80\x02}X\x01\0\0\0a" + value + b"s."


PICKLES = {
    "a program": (
        b"cos\nsystem\n(X\x04\0\0\0truetR",
        "but os.system, of which nothing was run",
    ),
    "pointers to objects": (
        ARRAY + state(b"(I1\nt", DTYPE % b"O8", b"\x08" * 8),
        "holds no weights",
    ),
    "a type of structures": (
        DTYPE % b"V8" + PLAIN,
        "holds no weights",
    ),
    "a type made of another": (
        DTYPE % b"f4" + b"(I3\nX\x01\0\0\0<cnumpy\ndtype\nNNI-1\nI-1\nI0\ntb",
        "holds no weights",
    ),
    "fewer bytes than its shape": (
        ARRAY + state(b"(I1000000\nI1000000\nt", DTYPE % b"f4" + PLAIN, b"\0" * 8),
        "claims to have others",
    ),
    "a negative shape": (
        ARRAY + state(b"(I-1\nI-2\nt", DTYPE % b"f4" + PLAIN, b"\0" * 8),
        "no tuple of natural numbers",
    ),
    "an array never filled": (ARRAY, "without its bytes"),
    "a call of what is no function": (b"X\x01\0\0\0x(tR", "no function"),
    "a change of a function": (b"cnumpy\ndtype\n}b", "no array"),
    "an instance of a class": (
        b"ccollections\nOrderedDict\n)\x81",
        "holds no weights",
    ),
    "a set": (b"\x8f", "but builtins.set, of which"),
    "a long name": (b"cos\n" + b"x" * 10**6 + b"\n", "but os.xxxx"),
    "a huge place in the memo": (b"NX\x01\0\0\0br\xff\xff\xff\x7f0", None),
    "a huge text": (b"X\xff\xff\xff\x7fx", "cannot read"),
    "huge bytes": (b"\x8e" + b"\xff" * 7 + b"\x7fx", "cannot read"),
    "a huge array of bytes": (b"\x96\xff\xff\xff\x7f\0\0\0\0", "cannot read"),
    "a huge frame": (b"\x95" + b"\xff" * 7 + b"\x7f", "cannot read"),
    "keys that take forever": (b"N" + b"2\x86" * 80 + b"Ns", None),
    "lists in lists": (b"]" * 100_000 + b"a" * 99_999, "cannot read"),
    "a dictionary in itself": (b"}q\x00X\x01\0\0\0xh\x00s", "holds no weights"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles_are_refused_in_one_line(tmp_path, name):
    program, message = PICKLES[name]
    path = tmp_path / "w.ckpt"
    path.write_bytes(in_a_dictionary(program))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert peak < 2**26


def once(value: bytes) -> bytes:
    """Remembers a value as number 9, and takes it from the stack."""
    return value + b"q\t0"


TEXT = b"X\0\0\4\0" + b"x" * 2**18
FUNCTION = b"c%s\nq\x080"
REPEATED = {
    "one text, encoded": (
        FUNCTION % b"_codecs\nencode" + once(b"(" + TEXT + b"X\6\0\0\0latin1t"),
        b"h\x08h\tR",
        "copies its data",
    ),
    "one list, in dictionaries": (
        FUNCTION % b"collections\nOrderedDict"
        + once(
            b"(("
            + b"".join(b"J%sN\x86" % i.to_bytes(4, "little") for i in range(9999))
            + b"lt"
        ),
        b"h\x08h\tR",
        "copies its data",
    ),
    "one text, in arrays": (
        once(b"(I1\n(I262144\nt" + DTYPE % b"u1" + b"I00\n" + TEXT + b"t"),
        ARRAY + b"h\tb",
        "copies its data",
    ),
    "one text, in arrays of JAX": (
        FUNCTION % b"jax._src.array\n_reconstruct_array"
        + once(b"(I1\n(I262144\nt" + DTYPE % b"u1" + b"I00\n" + TEXT + b"t"),
        b"h\x08(NNh\ttR",
        "copies its data",
    ),
    "a million arguments": (
        FUNCTION % b"numpy\nndarray" + once(b"(" + b"N" * 10**5 + b"t"),
        b"h\x08h\tR0",
        "what are no arguments",
    ),
    "a long key": (once(TEXT), b"}h\tNs0", "holds no weights"),
    "a huge number as a key": (
        once(b"\x8b\0\0\4\0" + b"\x7f" * 2**18),
        b"}h\tNs0",
        "holds no weights",
    ),
    "calls without end": (FUNCTION % b"numpy\nndarray", b"h\x08)R" * 100, "more than"),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_small_program_that_repeats_itself_is_ended(tmp_path, name):
    prepared, repeated, message = REPEATED[name]
    path = tmp_path / "w.ckpt"
    path.write_bytes(b"\x80\x02(" + prepared + repeated * 1000 + b"t.")
    tracemalloc.start()
    with pytest.raises(WeightsError, match=message):
        read_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**26


def test_a_kernel_is_not_copied_for_each_name_that_it_has(tmp_path):
    kernel = np.ones((64, 64))
    tree = {f"layer{i}": {"kernel": kernel} for i in range(1000)}
    (tmp_path / "w.ckpt").write_bytes(pickle.dumps(tree))
    assert peak_of(lambda: read_weights(tmp_path / "w.ckpt")) < 2**22


@pytest.mark.parametrize("name", ["x" * 1001, "\x1b[31mred", "two\nlines"])
def test_names_that_would_spoil_a_message_are_passed_over(tmp_path, name):
    save_file({name: np.ones(1), "a": np.ones(1)}, tmp_path / "w.safetensors")
    assert list(read_weights(tmp_path / "w.safetensors").groups[""]) == ["a"]


def test_messages_stay_on_their_line_whatever_a_file_says(tmp_path):
    where = b"\x8c\x06os\n\x1b[1\x8c\x01x\x93"
    (tmp_path / "w.ckpt").write_bytes(b"\x80\x04" + where + b".")
    with pytest.raises(WeightsError, match=r"but os \?\[1\.x, of which"):
        read_weights(tmp_path / "w.ckpt")


def peak_of(work):
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_dictionary_that_leads_everywhere_twice_ends(tmp_path):
    tree = {"x": np.ones(2)}
    for _ in range(60):
        tree = {"a": tree, "b": [tree, (tree, tree)]}
    (tmp_path / "w.ckpt").write_bytes(pickle.dumps(tree))
    assert len(read_weights(tmp_path / "w.ckpt").groups) <= 4


def test_objects_that_lead_everywhere_twice_end(tmp_path):
    # Each object has the one before twice, in its state and among its items.
    code = b"ctheir\nNode\nq\x01)\x81q\x02"
    code += b"0h\x01)\x81X\1\0\0\0ah\x02s}X\1\0\0\0bh\x02sbq\x02" * 10_000
    (tmp_path / "w.ckpt").write_bytes(in_a_dictionary(code))
    with pytest.raises(WeightsError, match="holds no weights"):
        read_weights(tmp_path / "w.ckpt")


DEEP = {
    "objects in objects": (b"ctheir\nNode\nq\x010", b"h\x01)\x81}X\1\0\0\0a", b"sb"),
    "states in states": (b"ctheir\nNode\nq\x010", b"h\x01)\x81", b"b"),
    "sets in sets": (b"", b"\x8f(", b"\x90"),
    "frozen sets of unhashables": (b"", b"(]", b"\x91"),
    "arguments in arguments": (b"ctheir\nf\nq\x010", b"h\x01", b"\x85R"),
    "tuples in tuples": (b"", b"", b"\x85"),
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_a_hundred_thousand_deep_is_no_harm(tmp_path, name):
    start, opening, closing = DEEP[name]
    deep = start + opening * 100_000 + b"N" + closing * 100_000
    array = ARRAY + state(b"(I2\nt", DTYPE % b"f4" + PLAIN, b"\0" * 8)
    path = tmp_path / "w.ckpt"
    path.write_bytes(b"\x80\x02}(X\1\0\0\0b" + array + b"X\1\0\0\0a" + deep + b"u.")
    assert list(read_tensors(path)) == ["b"]


def test_long_paths_are_not_written_out_for_each_of_many_arrays(tmp_path):
    tree = {f"a{index}": np.ones(1) for index in range(1000)}
    for _ in range(60):
        tree = {"x" * 1000: tree}
    (tmp_path / "w.ckpt").write_bytes(pickle.dumps(tree))

    def refused():
        with pytest.raises(WeightsError, match="names are longer than those of weigh"):
            read_weights(tmp_path / "w.ckpt")

    assert peak_of(refused) < 2**24


def test_an_inner_file_holds_no_other(tmp_path):
    inner = b"\x80\x02X\1\0\0\0x."
    for _ in range(3):
        size = len(inner).to_bytes(4, "little")
        call = b"ctorch.storage\n_load_from_bytes\nB" + size + inner + b"\x85R"
        head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {})]
        tail = pickle.dumps([], 2)
        inner = b"".join([*head, b"\x80\x02" + call + b".", tail])
    path = tmp_path / "w.ckpt"
    path.write_bytes(in_a_dictionary(call))
    with pytest.raises(WeightsError, match="holds no weights|cannot read"):
        read_weights(path)


MSGPACKS = {
    "a huge array": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "a huge dictionary": b"\x81\xa1a\xdf\xff\xff\xff\xff",
    "huge bytes": b"\x81\xa1a\xc6\xff\xff\xff\xff",
    "a huge text": b"\x81\xa1a\xdb\xff\xff\xff\xff",
    "a huge extension": b"\x81\xa1a\xc9\xff\xff\xff\xff\1",
    "deep lists": b"\x81\xa1a" + b"\x91" * 100_000,
    "a shape without bytes": b"\x81\xa1a\xc7\x0e\1\x93\x92\xcdz\x12\xcdz\x12\xa2f4"
    b"\xc4\0",
    "arrays in arrays": b"\x81\xa1a\xc7\5\1\xc7\2\1\xc0\xc0",
    "no text as a key": b"\x81\x91\1\1",
    "a broken byte": b"\x81\xa1a\xc1",
}


@pytest.mark.parametrize("name", MSGPACKS)
def test_hostile_msgpacks_are_refused(tmp_path, name):
    path = tmp_path / "w"
    path.write_bytes(MSGPACKS[name])

    def refused():
        with pytest.raises(WeightsError, match="cannot read"):
            read_weights(path)

    assert peak_of(refused) < 2**22


def test_a_program_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("jinv.formats.pickles.MOST_INSTRUCTIONS", 1000)
    (tmp_path / "w.ckpt").write_bytes(in_a_dictionary(b"}0" * 2000 + b"N"))
    with pytest.raises(WeightsError, match="more than 1,000 instructions"):
        read_weights(tmp_path / "w.ckpt")


def archive(program: bytes, data: bytes = b"\0" * 32, compression: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as content:
        content.writestr("w/data.pkl", program)
        content.writestr("w/data/0", data)
    return buffer.getvalue()


TENSORS = {
    "beyond its data": (STORAGE + b"I0\n(I9\nt(I1\ntt", "reaches beyond its data"),
    "before its data": (STORAGE + b"I-1\n(I2\nt(I1\ntt", "has no storage"),
    "backwards": (STORAGE + b"I4\n(I2\nt(I-1\ntt", "no tuple of natural numbers"),
    "far beyond": (
        STORAGE + b"I0\n(I2\nt(L4611686018427387904L\ntt",
        "reaches beyond its data",
    ),
    "repeated without end": (
        STORAGE + b"I0\n(I1000000\nI1000000\nt(I0\nI0\ntt",
        "repeats its data too often",
    ),
    "of text": (b"X\x01\0\0\0xI0\n(I1\nt(I1\ntt", "has no storage"),
    "of an array of the file": (
        ARRAY
        + state(b"(I2\nt", DTYPE % b"f4" + PLAIN, b"\0" * 8)
        + b"I0\n(I2\nt(I1\ntt",
        "has no storage",
    ),
    "of a type that it calls": (
        b"ctorch\nFloatStorage\n(I1000000000\ntRI0\n(I1\nt(I1\ntt",
        "makes a storage of its own",
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_stay_within_their_storage(tmp_path, name):
    arguments, message = TENSORS[name]
    path = tmp_path / "w.pth"
    path.write_bytes(archive(in_a_dictionary(TENSOR + arguments + b"R")))
    with pytest.raises(WeightsError, match=message):
        read_weights(path)


def test_an_honest_tensor_that_repeats_its_data_is_read(tmp_path):
    repeated = STORAGE + b"I1\n(I3\nI2\nt(I0\nI4\ntt"
    path = tmp_path / "w.pth"
    data = np.arange(8, dtype="<f4").tobytes()
    path.write_bytes(archive(in_a_dictionary(TENSOR + repeated + b"R"), data))
    np.testing.assert_array_equal(read_tensors(path)["a"], [[1, 5]] * 3)


def test_bfloat16_becomes_float32(tmp_path):
    values = np.asarray([1.5, -2.0, 0.0, 3.0], np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    storage = STORAGE.replace(b"FloatStorage", b"BFloat16Storage")
    program = in_a_dictionary(TENSOR + storage + b"I0\n(I4\nt(I1\ntt" + b"R")
    (tmp_path / "w.pth").write_bytes(archive(program, bits))
    np.testing.assert_array_equal(read_tensors(tmp_path / "w.pth")["a"], values)


@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_archives_that_claim_to_grow_without_end_are_refused(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(archive(b"N.", b"\0" * 2**26, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 2**17
    with pytest.raises(WeightsError, match="claims to expand to 67,1"):
        read_weights(path)


def test_an_old_file_may_not_claim_more_than_it_is(tmp_path):
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {})]
    storage = STORAGE.replace(b"I8\n", b"I1000000000\n").replace(b"\ntQ", b"\nNtQ")
    program = in_a_dictionary(TENSOR + storage + b"I0\n(I4\nt(I1\ntt" + b"R")
    path = tmp_path / "w.th"
    path.write_bytes(b"".join([*head, program, pickle.dumps(["0"], 2)]))
    with pytest.raises(WeightsError, match="larger than the file"):
        read_weights(path)


def test_an_old_file_holds_every_storage_that_its_tensors_need(tmp_path):
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {})]
    storage = STORAGE.replace(b"\ntQ", b"\nNtQ")
    program = in_a_dictionary(TENSOR + storage + b"I0\n(I4\nt(I1\ntt" + b"R")
    path = tmp_path / "w.th"
    path.write_bytes(b"".join([*head, program, pickle.dumps([], 2), b"\0" * 40]))
    with pytest.raises(WeightsError, match="are not those that its tensors need"):
        read_weights(path)


def test_arrays_of_objects_and_false_headers_are_refused(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.asarray([{}], object))
    with pytest.raises(WeightsError, match="holds object, not plain numbers"):
        read_weights(path)
    np.savez(path, a=np.ones(4, np.float32))
    with zipfile.ZipFile(path) as content:
        array = content.read("a.npy").replace(b"(4,), ", b"(9999999999,), ")
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("a.npy", array)
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)


@pytest.mark.parametrize("shape", [[1e9], [2**40], [-2, -3], [True, 6], ["2", 3], 6])
def test_a_hidden_network_has_no_weights_without_bits(tmp_path, shape):
    frozen = FrozenWeights(0, "kaiming-normal", False, {"a": 1.0}, {"a": (2, 3)})
    path = tmp_path / "w.safetensors"
    write_supermask(path, "m", frozen, {}, {"b": np.zeros(1, np.float32)})
    assert read_tensors(path)["a.weight"].shape == (2, 3)
    with safe_open(path, "numpy") as file:
        (name, text), *_ = file.metadata().items()
    described = json.loads(text)
    described["frozen"]["shapes"]["a"] = shape
    save_file({"b": np.zeros(1)}, path, {name: json.dumps(described)})
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)
