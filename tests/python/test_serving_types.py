"""All element types through callables and stock clients."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from pytriton.decorators import batch
from pytriton.model_config import Tensor

NUMBERS = [
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.float16,
    np.float32,
    np.float64,
]


def identity(requests):
    return [{"y": request["x"]} for request in requests]


FORMS = [pytest.param(identity, id="requests"), pytest.param(batch(lambda x: [x]), id="arrays")]


def tensors(dtype):
    return [Tensor(shape=(-1,), dtype=dtype, name="x")], [
        Tensor(shape=(-1,), dtype=dtype, name="y")
    ]


@pytest.mark.parametrize("function", FORMS)
@pytest.mark.parametrize("dtype", [np.bool_, *NUMBERS])
def test_numbers(serve, protocol, function, dtype):
    values = np.array([[0, 1, 100], [7, 0, 1]]).astype(dtype)
    result = serve(function, *tensors(dtype)).infer(protocol, {"x": values})["y"]
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize("function", FORMS)
def test_bytes(serve, protocol, function):
    values = np.array(
        [[b"", b"a\x00b\x00"], ["gr\u00fc\u00df".encode(), b"\xff\xfe"]], dtype=object
    )
    seen = []

    def check(*args, **kwargs):
        array = kwargs["x"] if kwargs else args[0][0]["x"]
        seen.append((array.dtype, {type(element) for element in array.flat}))
        return function(*args, **kwargs) if not kwargs else [array]

    check = batch(check) if function is not identity else check
    result = serve(check, *tensors(bytes)).infer(protocol, {"x": values})["y"]
    assert result.tolist() == values.tolist()
    assert seen == [(np.dtype(object), {bytes})]


@pytest.mark.parametrize(
    ("output", "received"),
    [
        (np.array([[b"ab", b"c"]]), [[b"ab", b"c"]]),
        (np.array([["gr\u00fcn", ""]]), [["gr\u00fcn".encode(), b""]]),
        (np.array([[1, 22]]), [[b"1", b"22"]]),
        (np.array([["x", "y"]]).T.copy().T, [[b"x", b"y"]]),
    ],
)
def test_texts_are_sent_as_bytes(serve, protocol, output, received):
    server = serve(batch(lambda x: {"y": output}), *tensors(bytes))
    result = server.infer(protocol, {"x": np.array([[b"q"]], dtype=object)})["y"]
    assert result.tolist() == received


def test_texts_of_several_requests_are_dealt_by_rows(serve):
    server = serve(batch(lambda x: {"y": x}), *tensors(bytes), max_batch_size=8)
    values = np.array([[b"a"], [b"bb"], [b"ccc"]], dtype=object)
    assert server.infer("grpc", {"x": values})["y"].tolist() == values.tolist()


def test_str_objects_are_refused(serve):
    output = np.array([["text"]], dtype=object)
    server = serve(batch(lambda x: {"y": output}), *tensors(bytes))
    with pytest.raises(InferenceServerException, match="Use string/byte-string instead of object"):
        server.infer("http", {"x": np.array([[b"q"]], dtype=object)})


@pytest.mark.parametrize("function", FORMS)
def test_bfloat16_is_float32_for_the_callable(serve, protocol, function):
    seen = []

    def check(array):
        seen.append(array.dtype)
        return array

    def look(requests):
        return [{"y": check(request["x"])} for request in requests]

    function = look if function is identity else batch(lambda x: {"y": check(x)})
    values = np.array([[1.0, -2.5, 3.140625, np.inf]], ml_dtypes.bfloat16)
    result = serve(function, *tensors("bfloat16")).infer(protocol, {"x": values})["y"]
    np.testing.assert_array_equal(result, values)
    assert seen == [np.float32]


def test_bfloat16_rounds_to_nearest_even(serve):
    # 1 + 2^-8 lies halfway between two bfloat16 values; 1 + 3 * 2^-8 too.
    output = np.array([[1 + 2**-8, 1 + 3 * 2**-8, np.nan, -0.0]], np.float32)
    server = serve(batch(lambda x: {"y": output}), *tensors("bfloat16"))
    result = server.infer("grpc", {"x": np.ones((1, 1), ml_dtypes.bfloat16)})["y"][0]
    assert result[:2].astype(np.float32).tolist() == [1.0, 1 + 2**-6]
    assert np.isnan(result[2])
    assert np.signbit(result[3])


def test_declared_bfloat16_arrays_are_used_as_they_are(serve, protocol):
    seen = []

    @batch
    def function(x):
        seen.append(x.dtype)
        return {"y": x * ml_dtypes.bfloat16(2)}

    values = np.array([[1.0, -2.5]], ml_dtypes.bfloat16)
    server = serve(function, *tensors(ml_dtypes.bfloat16))
    result = server.infer(protocol, {"x": values})["y"]
    np.testing.assert_array_equal(result, values * 2)
    assert seen == [values.dtype]
