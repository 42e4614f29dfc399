"""Bound callables under the model control protocol: they stay the program's."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from python.isolated_callables import plain
from python.running import ANY_PORTS, Running
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

ROW = np.ones((1, 1), np.float32)
X = [Tensor((1,), np.float32, "x")]
Y = [Tensor((1,), np.float32, "y")]


class Counter:
    """A callable with a state that no reload may lose."""

    def __init__(self):
        self.calls = 0
        self.enter = threading.Event()
        self.leave = threading.Event()
        self.leave.set()

    @batch
    def __call__(self, x):
        self.enter.set()
        self.leave.wait()
        self.calls += 1
        return {"y": np.full_like(x, self.calls)}


@pytest.fixture
def options():
    return {"model-control-mode": "explicit"}


@pytest.fixture
def served(tmp_path, options):
    triton = Triton(
        config=TritonConfig(**ANY_PORTS, model_repository=tmp_path),
        security_config=TritonSecurityConfig(restricted_endpoints=[]),
        options=options,
    )
    with triton:
        running = Running(triton)
        yield running
        running.close()


def refusal(call, *arguments, **named):
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **named)
    return caught.value.message()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_a_client_unloaded_it_can_load_again(served, protocol):
    served.triton.bind("M", Counter(), X, Y)
    client = getattr(served, protocol)
    assert served.infer(protocol, {"x": ROW})["y"].tolist() == [[1]]
    client.load_model("M")  # it serves: nothing happens
    assert served.infer(protocol, {"x": ROW})["y"].tolist() == [[2]]
    client.unload_model("M")
    assert not client.is_model_ready("M")
    assert client.is_server_ready()
    client.load_model("M")
    assert client.is_model_ready("M")
    assert served.infer(protocol, {"x": ROW})["y"].tolist() == [[3]], "it is the same callable"
    told = refusal(client.load_model, "M", config="{}")
    assert told == (
        "failed to load 'M', failed to poll from model repository: model 'M' is the program's: "
        "expected a load without other configuration or files"
    )
    assert client.is_model_ready("M")


def test_a_load_waits_for_the_last_request_of_what_was_unloaded(served):
    counter = Counter()
    counter.leave.clear()
    served.triton.bind("M", counter, X, Y)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(served.infer("grpc", {"x": ROW})))
    asking.start()
    counter.enter.wait()
    served.http.unload_model("M")
    loading = threading.Thread(target=served.grpc.load_model, args=("M",))
    loading.start()
    counter.leave.set()
    asking.join()
    loading.join()
    assert answers[0]["y"].tolist() == [[1]]
    assert served.infer("grpc", {"x": ROW})["y"].tolist() == [[2]]


def test_callables_in_workers_are_loaded_again(served):
    served.triton.bind("M", [plain, plain], X, Y, isolation="process")
    assert served.infer("http", {"x": ROW})["y"].tolist() == [[2]]
    served.http.unload_model("M")
    served.http.load_model("M")
    assert served.infer("http", {"x": ROW})["y"].tolist() == [[2]]


@pytest.mark.parametrize(
    "options", [{"model-control-mode": "explicit", "model-namespacing": "true"}]
)
def test_with_namespaces_a_name_means_the_bound_model_too(served, tmp_path):
    (tmp_path / "M" / "1").mkdir(parents=True)
    (tmp_path / "M" / "config.pbtxt").write_text(
        """
        backend: "identity"
        input { name: "x" data_type: TYPE_FP32 dims: 1 }
        output { name: "x" data_type: TYPE_FP32 dims: 1 }
        """
    )
    served.triton.bind("M", Counter(), X, Y)

    def states():
        index = served.grpc.get_model_repository_index().models
        return [row.state for row in index if row.name == "M"]

    served.grpc.load_model("M")
    assert states() == ["READY", "READY"]
    served.grpc.unload_model("M")
    assert states() == ["UNAVAILABLE", "UNAVAILABLE"]
    served.grpc.load_model("M")
    assert states() == ["READY", "READY"]
