"""pb_utils: tensors, DLPack, data types, and the helpers of the module."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from pytriton.backends.python import datatypes
from pytriton.backends.python import tensor as tensors
from pytriton.backends.python import triton_python_backend_utils as pb_utils

NAMES = [
    "InferenceRequest",
    "InferenceResponse",
    "Logger",
    "MetricFamily",
    "ModelConfig",
    "PreferredMemory",
    "Tensor",
    "TritonError",
    "TritonModelException",
    "TRITONSERVER_MEMORY_CPU",
    "TRITONSERVER_MEMORY_GPU",
    "TRITONSERVER_REQUEST_FLAG_SEQUENCE_START",
    "TRITONSERVER_REQUEST_FLAG_SEQUENCE_END",
    "TRITONSERVER_RESPONSE_COMPLETE_FINAL",
    "TRITONSERVER_REQUEST_RELEASE_ALL",
    "TRITONSERVER_REQUEST_RELEASE_RESCHEDULE",
    "TRITON_STRING_TO_NUMPY",
    "deserialize_bytes_tensor",
    "serialize_byte_tensor",
    "get_input_config_by_name",
    "get_output_config_by_name",
    "get_input_tensor_by_name",
    "get_output_tensor_by_name",
    "get_model_dir",
    "is_model_ready",
    "load_model",
    "unload_model",
    "numpy_to_triton_type",
    "triton_to_numpy_type",
    "triton_string_to_numpy",
    "using_decoupled_model_transaction_policy",
    "json",
    "np",
    "struct",
]


def from_wire(code, shape, data):
    return tensors.from_wire("X", code, shape, data)


def test_has_exactly_the_names_that_models_probe_for():
    public = {name for name in dir(pb_utils) if not name.startswith("_")}
    assert public == set(NAMES)
    assert pb_utils.Logger.LogLevel.ERROR is pb_utils.Logger.ERROR


def test_sources_parse_with_python_3_8():
    """Models bring interpreters: none of the newer syntax may be used."""
    directory = Path(pb_utils.__file__).parent
    for path in [*directory.glob("*.py"), *directory.parent.glob("*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("dtype", [*datatypes.DTYPE_OF_CODE.values()])
def test_inputs_are_writable_views(dtype):
    data = bytearray(np.arange(6).astype(dtype).tobytes())
    tensor = from_wire(datatypes.CODE_OF_DTYPE[dtype], (2, 3), data)
    array = tensor.as_numpy()
    assert array.dtype == dtype
    assert tensor.shape() == [2, 3]
    assert tensor.as_numpy() is array
    array[0, 0] = 1
    assert np.frombuffer(data, dtype)[0] == 1


def test_contiguous_arrays_are_aliased_and_others_copied():
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert pb_utils.Tensor("X", array).as_numpy() is array
    turned = pb_utils.Tensor("X", array.T)
    assert turned.as_numpy().flags.c_contiguous
    assert turned.shape() == [3, 2]


@pytest.mark.parametrize(
    "arguments",
    [(), ("X",), ("X", [1]), ("X", 5), ("X", None), ("X", np.float32(1)), (5, np.ones(1))],
)
def test_wrong_arguments_are_type_errors(arguments):
    with pytest.raises(TypeError):
        pb_utils.Tensor(*arguments)
    with pytest.raises(TypeError):
        pb_utils.Tensor(name="X", array=np.ones(1))


@pytest.mark.parametrize("dtype", ["U3", "complex64", "longdouble", "datetime64[s]", ">f4"])
def test_dtypes_that_triton_lacks_are_refused(dtype):
    with pytest.raises(pb_utils.TritonModelException, match="NumPy dtype is not supported"):
        pb_utils.Tensor("X", np.zeros(1, dtype))


def test_bytes_elements_are_serialized_when_the_tensor_is_made():
    array = np.array([b"a\0b", 5, None, "é"], dtype=np.object_)
    tensor = pb_utils.Tensor("X", array)
    array[0] = b"changed"
    read = from_wire(datatypes.BYTES, (2, 2), tensor._data).as_numpy()
    assert read.tolist() == [[b"a\0b", b"5"], [b"None", "é".encode()]]


def test_helpers_for_bytes():
    encoded = pb_utils.serialize_byte_tensor(np.array([[b"ab"], [b""]], dtype=np.object_))
    assert encoded == b"\2\0\0\0ab\0\0\0\0"
    assert pb_utils.deserialize_bytes_tensor(encoded).tolist() == [b"ab", b""]
    assert pb_utils.serialize_byte_tensor(np.array([], dtype=np.object_)) == ()
    assert pb_utils.serialize_byte_tensor(np.ones(1)) is None
    for cut in (1, 5):
        with pytest.raises(ValueError, match="expected"):
            pb_utils.deserialize_bytes_tensor(encoded[:cut])


def test_numbers_of_types():
    assert [
        pb_utils.numpy_to_triton_type(pb_utils.triton_to_numpy_type(i)) for i in range(1, 14)
    ] == [*range(1, 14)]
    unknown = (None, "no type", np.complex64, np.dtype(">f4"), np.dtype("U3"))
    assert [pb_utils.numpy_to_triton_type(one) for one in unknown] == [None] * 5
    assert [pb_utils.triton_to_numpy_type(one) for one in (0, 14, 15)] == [None] * 3
    assert pb_utils.triton_string_to_numpy("TYPE_STRING") is np.object_
    for name in ("TYPE_BF16", "x"):
        with pytest.raises(KeyError):
            pb_utils.triton_string_to_numpy(name)


def test_dlpack_goes_both_ways():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = pb_utils.Tensor("X", array)
    assert np.shares_memory(np.from_dlpack(tensor), array)
    for source in (tensor.to_dlpack(), tensor, array):
        back = pb_utils.Tensor.from_dlpack("Y", source)
        assert np.shares_memory(back.as_numpy(), array)
        assert (back.name(), back.shape()) == ("Y", [2, 3])
    assert tensor.__dlpack_device__() == (1, 0)


def test_dlpack_refuses_what_it_can_not_take():
    array = np.zeros((2, 3), np.float32)

    class Turned:
        def __dlpack__(self, **_):
            return array.T.__dlpack__()

        def __dlpack_device__(self):
            return (1, 0)

    for source in (array.T, Turned()):
        with pytest.raises(pb_utils.TritonModelException, match="Only contiguous DLPack tensors"):
            pb_utils.Tensor.from_dlpack("X", source)
    with pytest.raises(pb_utils.TritonModelException, match="must be a DLPack capsule         or"):
        pb_utils.Tensor.from_dlpack("X", 5)
    capsule = array.__dlpack__()
    pb_utils.Tensor.from_dlpack("X", capsule)
    with pytest.raises(pb_utils.TritonModelException, match="nobody has used"):
        pb_utils.Tensor.from_dlpack("X", capsule)
    with pytest.raises(pb_utils.TritonModelException, match="string tensors"):
        pb_utils.Tensor("X", np.array([b"a"])).to_dlpack()


def test_bfloat16_travels_by_dlpack():
    bits = np.arange(4, dtype=np.uint16).reshape(2, 2)
    tensor = from_wire(datatypes.BF16, (2, 2), bits)
    with pytest.raises(pb_utils.TritonModelException, match="Tensor dtype is BF16 and cannot be"):
        tensor.as_numpy()
    back = pb_utils.Tensor.from_dlpack("Y", tensor)
    assert back.triton_dtype() == "BF16"
    assert back._data.tolist() == bits.tolist()
    tensor.to_dlpack()  # never consumed: released with the capsule
    from pytriton.backends.python import dlpack

    assert dlpack._exported == {}


def test_helpers_find_by_name():
    config = {
        "input": [{"name": "A"}],
        "output": [],
        "model_transaction_policy": {"decoupled": True},
    }
    assert pb_utils.get_input_config_by_name(config, "A") == {"name": "A"}
    assert pb_utils.get_output_config_by_name(config, "A") is None
    assert pb_utils.using_decoupled_model_transaction_policy(config)
    assert not pb_utils.using_decoupled_model_transaction_policy({})
    tensor = pb_utils.Tensor("A", np.ones(1))
    response = pb_utils.InferenceResponse([tensor])
    assert pb_utils.get_output_tensor_by_name(response, "A") is tensor
    assert pb_utils.get_output_tensor_by_name(response, "B") is None
