"""The quick way of plain inferences gives what the careful way gives, or leaves it to that."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from pytriton import _plain
from pytriton.client import _grpc, _http
from pytriton.client._call import Plan, Reply
from pytriton.client._tensors import wire_type
from pytriton.client.exceptions import PyTritonClientInferenceServerError

FUZZ = settings(max_examples=300, deadline=None)
ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.uint8)}
LARGE = {"x": np.arange(20_000, dtype=np.int64)}


@pytest.mark.parametrize("named", [ARRAYS, LARGE])
@pytest.mark.parametrize("number", [0, 9, 10, 12345, (1 << 64) - 1])
def test_http_requests_say_their_lengths_their_id_and_their_tensors(named, number):
    speaker = _http.HttpSpeaker({"x-%s": "100%"}, "host:1")
    plan = Plan("m", "2", [], ["y"])
    for _ in range(2):  # made, then known
        call = speaker.infer_plainly(plan, number, named, False)
        head, _, body = b"".join(bytes(part) for part in call.whole).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /v2/models/m/versions/2/infer HTTP/1.1"
        fields = dict(line.split(": ") for line in lines[1:])
        assert (fields["host"], fields["x-%s"]) == ("host:1", "100%")
        assert int(fields["content-length"]) == len(body)
        length = int(fields["inference-header-content-length"])
        told = json.loads(body[:length])
        assert told["id"] == str(number)
        sizes = [tensor["parameters"]["binary_data_size"] for tensor in told["inputs"]]
        assert sizes == [array.nbytes for array in named.values()]
        assert body[length:] == b"".join(array.tobytes() for array in named.values())


@pytest.mark.parametrize("named", [ARRAYS, LARGE])
@pytest.mark.parametrize("number", [0, 12345, (1 << 64) - 1])
def test_grpc_requests_say_the_same_as_the_careful_ones(named, number):
    speaker = _grpc.GrpcSpeaker({})
    plan = Plan("m", "2", [], ["y"])
    for _ in range(2):
        call = speaker.infer_plainly(plan, number, named, False)
        body = b"".join(bytes(part) for part in call.body)
        assert int.from_bytes(body[1:5], "big") == len(body) - 5
        request = service_pb2.ModelInferRequest.FromString(body[5:])
        assert (request.model_name, request.model_version) == ("m", "2")
        assert request.id == str(number)
        assert [(i.name, tuple(i.shape)) for i in request.inputs] == [
            (name, array.shape) for name, array in named.items()
        ]
        assert [output.name for output in request.outputs] == ["y"]
        assert list(request.raw_input_contents) == [array.tobytes() for array in named.values()]


def test_forms_take_only_the_arrays_they_were_made_for():
    for form in (_plain.HttpForm(b"h", b"t", [4, 4]), _plain.GrpcForm(b"f", [4, 4])):
        for wrong in ([b"abcd"], [b"abcd", b"abc"], [b"abcd", b"abcde"], [b"abcd"] * 3):
            with pytest.raises(ValueError, match="arrays"):
                form.write(1, wrong)
    with pytest.raises(ValueError, match="below 16384 bytes"):
        _plain.GrpcForm(b"", [16 << 10])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), object),
        np.zeros((0, 3), np.float32),
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.zeros(3, ">f4"),
        np.zeros(3, "M8[s]"),
        np.float32(1),
        [1.0],
    ],
)
def test_what_is_not_plain_is_left_to_the_careful_way(array):
    for speaker in (_http.HttpSpeaker({}), _grpc.GrpcSpeaker({})):
        assert speaker.infer_plainly(Plan("m", "", [], []), 1, {"x": array}, False) is None


RESPONSE = service_pb2.ModelInferResponse(
    model_name="m",
    model_version="1",
    id="7",
    outputs=[
        {"name": "y", "datatype": "FP32", "shape": [1, 2]},
        {"name": "z", "datatype": "INT8", "shape": [3]},
    ],
    raw_output_contents=[b"12345678", b"abc"],
).SerializeToString()
HEAD = (
    b'{"id":"7","model_name":"m","model_version":"1","outputs":['
    b'{"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},'
    b'{"name":"z","datatype":"INT8","shape":[3],"parameters":{"binary_data_size":3}}]}'
)


def same(quick: dict, careful: dict) -> bool:
    return list(quick) == list(careful) and all(
        (array.dtype, array.shape, array.tobytes())
        == (careful[name].dtype, careful[name].shape, careful[name].tobytes())
        and array.flags.aligned
        for name, array in quick.items()
    )


@st.composite
def changed(draw, data: bytes):
    """The bytes with a few of them changed, left out or added."""
    data = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data) - 1))
        what = draw(st.integers(0, 2))
        if what == 0:
            data[at] = draw(st.integers(0, 255))
        elif what == 1:
            del data[at:]
            data += b"x"
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=3))
    return bytes(data)


@given(changed(RESPONSE), st.integers(0, 3))
@FUZZ
def test_grpc_answers_are_read_as_with_care(data, shift):
    _grpc._read(Reply(0, {}, RESPONSE))
    data = np.frombuffer(bytes(shift) + data, np.uint8)[shift:]
    quick = _plain.read_grpc(data, _grpc._KNOWN, False)
    if quick is not None:
        assert same(quick, _grpc._read_carefully(Reply(0, {}, data)))


@given(changed(HEAD + b"12345678abc"), st.integers(0, 3), st.integers(-3, 3))
@FUZZ
def test_http_answers_are_read_as_with_care(data, shift, more):
    fields = {"inference-header-content-length": str(len(HEAD))}
    _http._read(Reply(200, fields, HEAD + b"12345678abc"))
    data = np.frombuffer(bytes(shift) + data, np.uint8)[shift:]
    end = min(len(HEAD) + more, len(data))
    quick = _plain.read_http(data, end, _http._KNOWN, False)
    if quick is not None:
        assert same(quick, _http._parsed_outputs(data, end))


def test_answers_like_one_that_came_before_are_known():
    for number in (b"8", b"1234567"):
        head = HEAD.replace(b'"7"', b'"%s"' % number)
        fields = {"inference-header-content-length": str(len(head))}
        body = head + b"87654321cba"
        careful = _http._read_carefully(Reply(200, fields, body))
        assert same(_plain.read_http(body, len(head), _http._KNOWN, False), careful)
    _grpc._read(Reply(0, {}, RESPONSE))
    other = service_pb2.ModelInferResponse.FromString(RESPONSE)
    other.id = "1234567"
    other.raw_output_contents[:] = [b"87654321", b"cba"]
    data = other.SerializeToString()
    quick = _plain.read_grpc(data, _grpc._KNOWN, False)
    assert same(quick, _grpc._read_carefully(Reply(0, {}, data)))


def test_answers_with_parameters_or_other_sizes_need_care():
    _grpc._read(Reply(0, {}, RESPONSE))
    other = service_pb2.ModelInferResponse.FromString(RESPONSE)
    other.parameters["p"].string_param = "v"
    assert _plain.grpc_key(other.SerializeToString()) is None
    short = service_pb2.ModelInferResponse.FromString(RESPONSE)
    short.raw_output_contents[1] = b"ab"
    assert _plain.read_grpc(short.SerializeToString(), _grpc._KNOWN, False) is None
    with contextlib.suppress(PyTritonClientInferenceServerError):
        _grpc._read(Reply(0, {}, short.SerializeToString()))
        pytest.fail("a tensor shorter than its shape was accepted")


SAMPLES = {
    "y": np.float32([[1, 2]]),
    "n": np.int64([5]),  # of a sample a number
    "z": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),  # of more than one the first
}


def answer_over_http(arrays: dict) -> Reply:
    described = [
        {
            "name": name,
            "datatype": wire_type(array, name),
            "shape": list(array.shape),
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in arrays.items()
    ]
    head = json.dumps({"model_name": "m", "model_version": "1", "outputs": described}).encode()
    body = head + b"".join(array.tobytes() for array in arrays.values())
    return Reply(200, {"inference-header-content-length": str(len(head))}, body)


def answer_over_grpc(arrays: dict) -> Reply:
    response = service_pb2.ModelInferResponse(model_name="m", model_version="1")
    for name, array in arrays.items():
        response.outputs.add(name=name, datatype=wire_type(array, name), shape=array.shape)
        response.raw_output_contents.append(array.tobytes())
    return Reply(0, {}, response.SerializeToString())


BOTH = pytest.mark.parametrize(
    ("speaker", "answer"),
    [(_http.HttpSpeaker({}), answer_over_http), (_grpc.GrpcSpeaker({}), answer_over_grpc)],
)


@BOTH
def test_samples_get_a_batch_dimension_and_their_outputs_have_none(speaker, answer):
    samples = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(4, np.uint8)}
    batches = {name: array[np.newaxis] for name, array in samples.items()}
    plan = Plan("m", "", [], list(SAMPLES))
    for _ in range(2):  # made and read with care, then known
        call = speaker.infer_plainly(plan, 7, samples, True)
        other = speaker.infer_plainly(plan, 7, batches, False)
        assert (call.whole, call.body) == (other.whole, other.body)
        outputs = call.read(answer(SAMPLES))
        assert same(outputs, {name: array[0] for name, array in SAMPLES.items()})
        assert type(outputs["n"]) is np.int64
        assert same(other.read(answer(SAMPLES)), SAMPLES)
    alike = speaker.infer_plainly(plan, 7, samples, False)  # as a batch it is another request
    assert (alike.whole, alike.body) != (call.whole, call.body)


@BOTH
def test_outputs_of_samples_must_have_a_batch_dimension(speaker, answer):
    call = speaker.infer_plainly(Plan("m", "", [], ["y"]), 7, {"a": np.zeros(2)}, True)
    for _ in range(2):
        with pytest.raises(PyTritonClientInferenceServerError, match="model m with a batch dim"):
            call.read(answer({"y": np.array(1.5)}))
