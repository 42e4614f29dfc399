"""The onnxruntime backend over a channel in memory, with models made here."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the models are made with onnx")
pytest.importorskip("onnxruntime", reason="the backend runs it")
from onnx import TensorProto, helper  # noqa: E402

import pytriton.backends.onnxruntime as backend  # noqa: E402
from python.fake_channel import UTILS_DIR, FakeChannel, raw_request, values  # noqa: E402
from pytriton.backends._channel import HostError, WorkerSetup  # noqa: E402
from pytriton.backends.python.host import make_host  # noqa: E402

_numbers = itertools.count(1)
FLOAT = TensorProto.FLOAT


def info(name, kind, dims):
    return helper.make_tensor_value_info(name, kind, dims)


def save(directory, nodes, inputs, outputs):
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, str(directory / "model.onnx"))


def double(directory, kind=FLOAT, dims=("batch", 2)):
    node = helper.make_node("Add", ["X", "X"], ["Y"])
    save(directory, [node], [info("X", kind, dims)], [info("Y", kind, dims)])


def identity(directory, kind, dims=("batch", 2)):
    node = helper.make_node("Identity", ["X"], ["Y"])
    save(directory, [node], [info("X", kind, dims)], [info("Y", kind, dims)])


class Served:
    """A model served by the backend: its completed configuration, host and channel."""

    def __init__(self, tmp_path, make, config=None):
        self.version_dir = tmp_path / str(next(_numbers))
        self.version_dir.mkdir()
        make(self.version_dir)
        self.channel = FakeChannel()
        setup = WorkerSetup(
            model_name="m",
            version=1,
            instance_name="m_0_0",
            model_dir=str(tmp_path),
            version_dir=str(self.version_dir),
            model_file=str(Path(backend.__file__).parent / "model.py"),
            is_backend_model=True,
            utils_dir=UTILS_DIR,
            decoupled=False,
        )
        self.host = make_host(self.channel, setup)
        text = self.host.complete_config(json.dumps({"name": "m", **(config or {})}))
        self.config = json.loads(text)
        args = {"model_config": text, "model_instance_kind": "CPU", "model_instance_name": "m_0_0"}
        self.host.initialize(args)

    def run(self, *batch):
        self.channel.responses.clear()
        requests = [
            raw_request(key, inputs if isinstance(inputs, dict) else {"X": inputs})
            for key, inputs in enumerate(batch)
        ]
        self.host.execute(requests)
        return [self.channel.responses[key][0] for key in range(len(batch))]


@pytest.fixture(autouse=True)
def _forget_the_backend():
    yield
    sys.modules.pop("model", None)


def test_completes_the_configuration_from_the_file(tmp_path):
    config = Served(tmp_path, double).config
    assert config["max_batch_size"] == 4
    assert config["dynamic_batching"] == {}
    assert config["input"] == [{"name": "X", "data_type": "TYPE_FP32", "dims": [2]}]
    assert config["output"] == [{"name": "Y", "data_type": "TYPE_FP32", "dims": [2]}]
    fixed = Served(tmp_path, lambda d: double(d, dims=(3, None))).config
    assert "max_batch_size" not in fixed
    assert fixed["input"] == [{"name": "X", "data_type": "TYPE_FP32", "dims": [3, -1]}]


def test_runs_a_batch_at_once_and_hands_out_its_rows(tmp_path):
    served = Served(tmp_path, double)
    runs = []
    runner = served.host._model._runner
    run = runner.run
    runner.run = lambda inputs, wanted: runs.append(1) or run(inputs, wanted)
    a, b = np.array([[1, 2]], np.float32), np.array([[3, 4], [5, 6]], np.float32)
    first, second = served.run(a, b)
    assert values(first).tolist() == [2, 4]
    assert values(second).tolist() == [6, 8, 10, 12]
    assert second[0][0][2] == (2, 2)
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.BOOL, np.bool_),
        (TensorProto.UINT8, np.uint8),
        (TensorProto.UINT16, np.uint16),
        (TensorProto.UINT32, np.uint32),
        (TensorProto.UINT64, np.uint64),
        (TensorProto.INT8, np.int8),
        (TensorProto.INT16, np.int16),
        (TensorProto.INT32, np.int32),
        (TensorProto.INT64, np.int64),
        (TensorProto.FLOAT16, np.float16),
        (TensorProto.FLOAT, np.float32),
        (TensorProto.DOUBLE, np.float64),
    ],
)
def test_carries_every_numeric_type(tmp_path, kind, dtype):
    served = Served(tmp_path, lambda d: identity(d, kind))
    data = np.array([[0, 1]]).astype(dtype)
    (response,) = served.run(data)
    assert values(response, dtype=dtype).tolist() == data.ravel().tolist()


def test_carries_bfloat16(tmp_path):
    served = Served(tmp_path, lambda d: identity(d, TensorProto.BFLOAT16))
    request = raw_request(0)
    bits = bytearray(np.array([1, 2], np.uint16).tobytes())
    served.host.execute([request._replace(inputs=(("X", 14, (1, 2), bits),))])
    ((name, code, shape, data),) = served.channel.responses[0][0][0]
    assert (name, code, shape, data) == ("Y", 14, (1, 2), bytes(bits))


def test_carries_strings_and_refuses_what_is_no_text(tmp_path):
    served = Served(tmp_path, lambda d: identity(d, TensorProto.STRING))
    good = np.array([["a", "é"]], dtype=np.object_)
    bad = np.array([[b"\xff", b"x"]], dtype=np.object_)
    first, second = served.run(good, bad)
    assert first[0][0][3] == b"\1\0\0\0a\2\0\0\0\xc3\xa9"
    assert second[1][0] == 3
    assert "expected UTF-8 text in input 'X'" in second[1][1]


def test_outputs_of_unknown_shape(tmp_path):
    def make(directory):
        node = helper.make_node("NonZero", ["X"], ["Y"])
        inputs = [info("X", FLOAT, (4,))]
        save(directory, [node], inputs, [info("Y", TensorProto.INT64, (1, "found"))])

    (response,) = Served(tmp_path, make).run(np.array([0, 1, 0, 1], np.float32))
    assert values(response, dtype=np.int64).tolist() == [1, 3]


def test_outputs_that_break_the_promise_of_their_symbols(tmp_path):
    def make(directory):
        node = helper.make_node("Concat", ["X", "X"], ["Y"], axis=0)
        save(directory, [node], [info("X", FLOAT, ("n",))], [info("Y", FLOAT, ("n",))])

    served = Served(
        tmp_path, make, {"input": [{"name": "X", "data_type": "TYPE_FP32", "dims": [-1]}]}
    )
    for _ in range(2):
        (response,) = served.run(np.array([1, 2], np.float32))
        assert values(response).tolist() == [1, 2, 1, 2]


def test_scalars_have_one_element(tmp_path):
    served = Served(tmp_path, lambda d: double(d, dims=()))
    assert served.config["input"][0]["dims"] == [1]
    (response,) = served.run(np.array([4], np.float32))
    assert response[0][0][2] == (1,)
    assert values(response).tolist() == [8]


X = {"name": "X", "data_type": "TYPE_FP32", "dims": [2]}
Y = {"name": "Y", "data_type": "TYPE_FP32", "dims": [2]}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            {"input": [X, {**X, "name": "Z"}], "output": [Y]},
            "unable to load model 'm', configuration expects 2 inputs, model provides 1",
        ),
        (
            {"max_batch_size": 4, "input": [{**X, "data_type": "TYPE_INT8"}], "output": [Y]},
            "unable to load model 'm', configuration expects datatype TYPE_INT8 for input 'X', "
            "model provides TYPE_FP32",
        ),
        (
            {"input": [X], "output": [Y]},
            "model 'm', tensor 'X': the model expects 2 dimensions (shape [-1,2]) but the model "
            "configuration specifies 1 dimensions (shape [2])",
        ),
        (
            {"max_batch_size": 4, "input": [{**X, "dims": [3]}], "output": [Y]},
            "(an initial batch dimension because max_batch_size > 0 followed by the explicit "
            "tensor shape, making complete shape [-1,3])",
        ),
        (
            {"max_batch_size": 4, "input": [{**X, "name": "Z"}], "output": [Y]},
            "unexpected inference input 'Z', allowed inputs are: X",
        ),
        (
            {
                "optimization": {
                    "execution_accelerators": {"cpu_execution_accelerator": [{"name": "x"}]}
                }
            },
            "unknown Execution Accelerator 'x' is requested",
        ),
        (
            {"parameters": {"intra_op_thread_count": {"string_value": "x"}}},
            "expected an integer as parameter 'intra_op_thread_count', got 'x'",
        ),
        ({"default_model_filename": "other.onnx"}, "for model instance 'm'"),
    ],
)
def test_refuses_a_configuration_that_does_not_fit(tmp_path, config, text):
    with pytest.raises(HostError) as error:
        Served(tmp_path, double, config)
    assert text in str(error.value)


def test_refuses_batches_of_a_model_without(tmp_path):
    with pytest.raises(HostError, match="model does not support batching while non-zero max_batch"):
        Served(tmp_path, lambda d: double(d, dims=(3, 2)), {"max_batch_size": 4})


def test_files_that_are_no_model(tmp_path):
    with pytest.raises(HostError, match="onnx runtime error"):
        Served(tmp_path, lambda d: (d / "model.onnx").write_bytes(b"junk" * 9))


def test_settings_reach_the_session(tmp_path):
    parameters = {
        "intra_op_thread_count": "1",
        "inter_op_thread_count": "2",
        "execution_mode": "1",
        "enable_mem_pattern": "0",
        "memory.enable_memory_arena_shrinkage": "cpu:0",
        "cudnn_conv_algo_search": "0",
    }
    config = {
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
        "optimization": {"graph": {"level": 2}},
    }
    served = Served(tmp_path, double, config)
    options = served.host._model._runner._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 2)
    assert options.enable_mem_pattern is False
    assert int(options.graph_optimization_level) == 0
    (response,) = served.run(np.ones((1, 2), np.float32))
    assert values(response).tolist() == [2, 2]


def test_says_that_the_wheel_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(HostError, match="pip install onnxruntime"):
        Served(tmp_path, double)
