"""pb_utils: requests to other models, metrics, logger, responses, configuration."""

from __future__ import annotations

import asyncio
import gc
import threading

import numpy as np
import pytest

from python.fake_channel import host_of, raw_request, raw_tensor
from pytriton.backends._channel import HostError
from pytriton.backends.python import metrics
from pytriton.backends.python import triton_python_backend_utils as pb_utils

IDLE = "class TritonPythonModel:\n    def execute(self, requests): return None\n"


@pytest.fixture
def channel(tmp_path):
    host, channel = host_of(tmp_path, IDLE)
    yield channel
    host.finalize()


def request(**fields):
    fields = {
        "inputs": [pb_utils.Tensor("X", np.ones(2, np.float32))],
        "requested_output_names": ["Y"],
        "model_name": "other",
        **fields,
    }
    return pb_utils.InferenceRequest(**fields)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"inputs": None}, TypeError, "inputs"),
        ({"inputs": [None]}, pb_utils.TritonModelException, "name 'other' should not be empty."),
        ({"request_id": None}, TypeError, "request_id"),
        ({"requested_output_names": [""]}, pb_utils.TritonModelException, "Requested output name"),
        ({"model_name": None}, TypeError, "model_name"),
        ({"model_version": None}, TypeError, "model_version"),
        ({"preferred_memory": None}, TypeError, "preferred_memory"),
        ({"trace": None}, TypeError, "trace"),
        ({"correlation_id": None}, TypeError, "correlation_id"),
        ({"correlation_id": 1.5}, pb_utils.TritonModelException, "must be integer or string"),
        ({"correlation_id": -1}, RuntimeError, "correlation id"),
        ({"flags": -1}, TypeError, "flags"),
        ({"timeout": -1}, TypeError, "timeout"),
        ({"parameters": {1: 2}}, pb_utils.TritonModelException, "keys to have type str, found"),
        ({"parameters": {"a": 1.5}}, pb_utils.TritonModelException, "type bool/int/str, found"),
        ({"parameters": []}, pb_utils.TritonModelException, "got <class 'list'>"),
    ],
)
def test_requests_check_their_arguments(fields, error, text):
    with pytest.raises(error, match=text):
        request(**fields)


def test_exec_returns_the_response_or_its_error(channel):
    def answer(inner, on_response):
        assert (inner.model_name, inner.model_version, inner.decoupled) == ("other", 3, False)
        assert (inner.parameters, inner.correlation_id) == ('{"a":true}', "s")
        on_response([raw_tensor("Y", np.full(2, 7, np.int64))], None, "", True)

    channel.answer_inner = answer
    asked = request(model_version=3, parameters={"a": True}, correlation_id="s")
    response = asked.exec()
    assert pb_utils.get_output_tensor_by_name(response, "Y").as_numpy().tolist() == [7, 7]
    channel.answer_inner = lambda _, on_response: on_response((), (2, "gone"), "", True)
    response = asked.exec()
    assert response.has_error()
    assert (response.error().message(), response.error().code()) == (
        "gone",
        pb_utils.TritonError.NOT_FOUND,
    )


def test_streams_are_iterated_and_replayed(channel):
    def answer(_, on_response):
        def run():
            for i in range(3):
                on_response([raw_tensor("Y", np.full(1, i, np.int32))], None, "", False)
            on_response((), None, "", True)

        threading.Thread(target=run).start()

    channel.answer_inner = answer
    responses = request().exec(decoupled=True)
    first = [len(r.output_tensors()) for r in responses]
    assert first == [1, 1, 1, 0]
    with pytest.raises(StopIteration, match=r"Iteration is done for the responses."):
        next(responses)
    assert [len(r.output_tensors()) for r in responses] == first

    async def collect():
        iterator = await request().async_exec(decoupled=True)
        return [len(r.output_tensors()) async for r in iterator]

    assert asyncio.run(collect()) == first


def test_async_exec_needs_a_loop_and_cancels(channel):
    with pytest.raises(RuntimeError, match="no running event loop"):
        request().async_exec()
    channel.answer_inner = lambda _, on_response: None

    async def cancel():
        task = request().async_exec()
        task.cancel()
        await asyncio.sleep(0)

    asyncio.run(cancel())
    assert channel.cancelled == {-1}


def test_a_model_with_one_instance_can_not_wait_for_itself(tmp_path):
    body = """
class TritonPythonModel:
    def execute(self, requests):
        r = pb_utils.InferenceRequest(inputs=[], requested_output_names=[], model_name="m").exec()
        raise ValueError(r.error().message())
"""
    host, _ = host_of(tmp_path, body)
    with pytest.raises(HostError, match="would wait for itself"):
        host.execute([raw_request()])


def answer_metrics(kind, payload):
    return {
        "metric_family": {"family": 1},
        "metric": {"metric": 2},
        "metric_value": {"value": 5},
    }.get(kind, {})


def test_metrics_are_collected_and_handed_on(channel):
    channel.answer_call = answer_metrics
    family = pb_utils.MetricFamily("n", "d", pb_utils.MetricFamily.GAUGE)
    metric = family.Metric({"a": "b"})
    metric.set(3)
    metric.increment(2)
    assert metric.value() == 5
    assert channel.updates == [(2, True, 5.0, None, 0.0)]
    assert ("metric", {"family": 1, "labels": {"a": "b"}, "buckets": []}) in channel.calls


def test_histograms_count_by_bucket(channel):
    channel.answer_call = answer_metrics
    family = pb_utils.MetricFamily("h", "d", pb_utils.MetricFamily.HISTOGRAM)
    metric = family.Metric(buckets=[1, 2])
    for value in (1, 1.5, 9):
        metric.observe(value)
    metrics.flush(channel)
    assert channel.updates == [(2, False, 0.0, [1, 1, 1], 11.5)]


def test_metrics_refuse_with_the_documented_texts(channel):
    channel.answer_call = answer_metrics
    make = pb_utils.MetricFamily
    counter, histogram = make("c", "d", make.COUNTER), make("h", "d", make.HISTOGRAM)
    refused = [
        (
            lambda: counter.Metric().increment(-1),
            "can only be incremented monotonically by non-neg",
        ),
        (lambda: counter.Metric().set(1), "TRITONSERVER_METRIC_KIND_COUNTER does not support Set"),
        (lambda: counter.Metric(buckets=[1]), "Unexpected buckets found."),
        (lambda: counter.Metric([]), "Labels must be a dictionary."),
        (lambda: counter.Metric({"a": 1}), "attempt to access JSON non-string as string"),
        (lambda: histogram.Metric(), "Missing required buckets."),
        (lambda: histogram.Metric(buckets=(1,)), "Buckets must be a list."),
        (lambda: histogram.Metric(buckets=[3, 1, 2]), "ascending"),
    ]
    for call, text in refused:
        with pytest.raises(pb_utils.TritonModelException, match=text):
            call()
    with pytest.raises(TypeError):
        make("c", "d", 0)
    short = make("c", "d", make.COUNTER)
    metric = short.Metric()
    del short
    gc.collect()
    with pytest.raises(pb_utils.TritonModelException, match="'MetricFamily' has been deleted"):
        metric.increment(1)
    channel.answer_call = lambda kind, payload: "Family name already exists with different type"
    with pytest.raises(
        pb_utils.TritonModelException,
        match="Error when creating MetricFamily: Failed to process the request for model 'm_0_0', "
        "message: Family name already",
    ):
        make("c", "d", make.COUNTER)


def test_the_logger_names_its_caller(channel):
    pb_utils.Logger.log_warn("hello")
    pb_utils.Logger.log_verbose("not wanted")
    pb_utils.Logger.log("x", pb_utils.Logger.ERROR)
    assert [line[:2] + line[3:] for line in channel.lines] == [
        (1, "test_pb_utils_calls.py", "hello"),
        (2, "test_pb_utils_calls.py", "x"),
    ]
    for wrong in (lambda: pb_utils.Logger.log_info(5), lambda: pb_utils.Logger.log("x", 0)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        pb_utils.Logger()


def test_models_are_controlled(channel):
    channel.answer_call = lambda kind, payload: {"ready": True}
    assert pb_utils.is_model_ready("a", "1") is True
    pb_utils.load_model("a", config="{}", files={"file:1/model.py": b"x"})
    pb_utils.unload_model("a")
    assert channel.calls[1] == (
        "load_model",
        {"name": "a", "config": "{}", "files": {"file:1/model.py": b"x"}},
    )
    with pytest.raises(TypeError):
        pb_utils.load_model("a", files={"file:1/model.py": "text"})
    channel.answer_call = lambda kind, payload: "failed to load 'a'"
    with pytest.raises(
        pb_utils.TritonModelException,
        match="Failed to load model: Failed to process the request for model 'm_0_0', message: f",
    ):
        pb_utils.load_model("a")


def test_responses_check_their_arguments():
    with pytest.raises(pb_utils.TritonModelException, match="Output tensor for inference response"):
        pb_utils.InferenceResponse([None])
    for arguments in ((None,), ([5],), ([], "text"), ("text",)):
        with pytest.raises(TypeError):
            pb_utils.InferenceResponse(*arguments)
    with pytest.raises(TypeError):
        pb_utils.TritonError("text", 5)
    error = pb_utils.TritonError("text")
    assert (error.message(), error.code()) == ("text", pb_utils.TritonError.INTERNAL)
    response = pb_utils.InferenceResponse((), error, {"a": "b"})
    assert (response.has_error(), response.parameters()) == (True, '{"a": "b"}'.replace(" ", ""))


CONFIG = (
    '{"name":"m","max_batch_size":4,"input":[{"name":"A","data_type":"TYPE_FP32","dims":[-1]}],'
    '"model_transaction_policy":{"decoupled":false}}'
)
WHERE = "in auto-complete-config function for model 'm'"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda c: c.set_max_batch_size(2),
            "configuration specified max_batch_size 4, but in auto",
        ),
        (
            lambda c: c.add_input({"name": "A", "data_type": "TYPE_INT32", "dims": [-1]}),
            "configuration expects datatype TYPE_FP32 for input 'A', model provides TYPE_INT32",
        ),
        (
            lambda c: c.add_input({"name": "A", "data_type": "TYPE_FP32", "dims": [3]}),
            "model 'm', tensor 'A': the model expects dims [3] but the model configuration "
            "specifies dims [-1]",
        ),
        (
            lambda c: c.add_input({"name": "A", "x": 1}),
            f"input 'A' {WHERE} contains property other than 'name', 'data_type', 'dims' and "
            "'optional'.",
        ),
        (
            lambda c: c.add_output({"name": "A", "x": 1}),
            f"output 'A' {WHERE} contains property other than 'name', 'data_type' and 'dims'.",
        ),
        (lambda c: c.add_input({}), f"input {WHERE} is missing 'name' property."),
        (
            lambda c: c.add_output({"name": "B", "dims": [1]}),
            f"output 'B' {WHERE} is missing 'data_type' property.",
        ),
        (
            lambda c: c.set_model_transaction_policy({"x": 1}),
            f"model transaction property {WHERE} contains property other than 'decoupled'.",
        ),
        (
            lambda c: c.set_model_transaction_policy({"decoupled": True}),
            "trying to change decoupled property in auto-complete-config for model 'm', which is "
            "already set to 'False'.",
        ),
    ],
)
def test_configuration_is_not_contradicted(call, text):
    with pytest.raises(ValueError) as error:
        call(pb_utils.ModelConfig(CONFIG))
    assert text in str(error.value)
