"""Where models run: KIND_GPU, KIND_AUTO and KIND_CPU, of bound models and of repositories.

Two GPUs of a fake driver, and a machine without any.
"""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from e2e.fake_cuda import FakeCuda
from e2e.harness import Server, refused_start, wait_until
from pytriton.client import DecoupledModelClient, ModelClient
from pytriton.exceptions import PyTritonBadParameterError, PyTritonValidationError
from pytriton.model_config import DeviceKind, ModelConfig, Tensor
from pytriton.shared_memory import CudaRegion
from pytriton.triton import Triton, TritonConfig

HOST = -1
IO = """
backend: "python"
max_batch_size: 1
input { name: "IN" data_type: TYPE_FP32 dims: [ -1 ] }
output { name: "OUT" data_type: TYPE_FP32 dims: [ -1 ] }
parameters { key: "told" value { string_value: "%s" } }
"""
MODEL = """
import json, os
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        told = json.loads(args["model_config"])["parameters"]["told"]["string_value"]
        keys = ("model_instance_kind", "model_instance_device_id", "model_instance_name")
        line = " ".join(args[key] for key in keys)
        with open(os.path.join(told, args["model_name"]), "a") as out:
            out.write(line + chr(10))

    def execute(self, requests):
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("OUT", r.inputs()[0].as_numpy() + 1)])
            for r in requests
        ]
"""
MODELS = {
    "m_auto": "",
    "m_listed": "instance_group { kind: KIND_AUTO gpus: [ 0 ] }",
    "m_cpu": "instance_group { kind: KIND_CPU count: 2 }",
    "m_second": "instance_group { name: 'g' kind: KIND_GPU gpus: [ 1 ] count: 2 }",
    "m_any": "instance_group { kind: KIND_GPU }",
    "m_mixed": "instance_group [ { kind: KIND_GPU }, { kind: KIND_CPU }, { kind: KIND_MODEL } ]",
    "m_unknown": "instance_group { kind: KIND_GPU gpus: [ 0, 7 ] }",
}


def write_models(folder: Path) -> Path:
    """A repository whose models append to `told/<model>` what each instance was made with."""
    (folder / "told").mkdir()
    for name, groups in MODELS.items():
        version = folder / "models" / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(MODEL)
        (version.parent / "config.pbtxt").write_text(IO % (folder / "told") + groups)
    return folder / "models"


def wait_loaded(server: Server) -> dict[str, dict]:
    """The index, by model, when the loads of the start have ended."""

    def rows() -> dict[str, dict] | None:
        status, body = server.call("POST", "/v2/repository/index", b"{}")
        found = {row["name"]: row for row in json.loads(body)} if status == 200 else {}
        states = [found.get(name, {}).get("state") for name in MODELS]
        return found if set(states) <= {"READY", "UNAVAILABLE"} else None

    return wait_until(rows, "the models to load", 100)


def told(folder: Path, model: str) -> list[str]:
    return sorted((folder / "told" / model).read_text().splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def server(fake_cuda: FakeCuda, folder: Path) -> Iterator[Server]:
    fake_cuda.fail()
    options = ("--model-repository", str(write_models(folder)), "--exit-on-error=false")
    options += ("--strict-readiness=false",)
    server = Server("placed.py", folder, *options, environment=fake_cuda.environment)
    yield server.wait_ready()
    assert server.stop() == 0, server.log


def ask(url: str, model: str) -> list[int]:
    """Where a model's numbers and texts were."""
    with ModelClient(url, model) as client:
        answer = client.infer_batch(np.ones((1, 4), np.float32), np.array([[b"x"]], dtype=object))
        return answer["PLACES"][0].tolist()


def groups_of(server: Server, model: str) -> list[tuple]:
    config = json.loads(server.get(f"/v2/models/{model}/config")[1])
    return [(g["kind"], g["count"], g["gpus"]) for g in config["instance_group"]]


@pytest.mark.parametrize(
    ("model", "places", "groups"),
    [
        ("cpu", [HOST, HOST], [("KIND_CPU", 1, [])]),
        ("auto", [0, HOST], [("KIND_GPU", 1, [0])]),
        ("auto_missing", [HOST, HOST], [("KIND_CPU", 1, [])]),
        ("gpu", [0, HOST], [("KIND_GPU", 1, [0])]),
        ("gpu_1", [1, HOST], [("KIND_GPU", 1, [1])]),
        ("gpu_on_host", [HOST, HOST], [("KIND_GPU", 1, [0])]),
        ("gpu_other", [0, HOST], [("KIND_GPU", 1, [1])]),
    ],
)
def test_inputs_are_where_the_model_runs(server, model, places, groups):
    assert ask(f"grpc://127.0.0.1:{server.grpc}", model) == places
    assert groups_of(server, model) == groups


def test_a_stream_has_its_inputs_there_too(server):
    with DecoupledModelClient(f"grpc://127.0.0.1:{server.grpc}", "gpu_1_stream") as client:
        texts = np.array([[b"x"]], dtype=object)
        answers = list(client.infer_batch(np.ones((1, 4), np.float32), texts))
    assert [answer["PLACES"].tolist() for answer in answers] == [[[1, HOST]]]


def test_instances_share_out_the_devices(server, fake_cuda):
    """Each of two callables waits for the other one: both instances have a request."""
    url = f"http://127.0.0.1:{server.http}"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: ask(url, "both"), range(2)))
    assert sorted(found) == [[0, HOST], [1, HOST]]
    assert groups_of(server, "both") == [("KIND_GPU", 1, [0]), ("KIND_GPU", 1, [1])]


def test_a_region_on_the_device_is_given_in_place(server, fake_cuda):
    with ModelClient(f"http://127.0.0.1:{server.http}", "gpu_1") as client:
        with CudaRegion(64, device_id=1) as region:
            region.register(client)
            given = region.write(np.ones((1, 4), np.float32))
            before = fake_cuda.counts(server.process.pid)
            answer = client.infer_batch(given, np.array([[b"x"]], dtype=object))
            after = fake_cuda.counts(server.process.pid)
            assert answer["PLACES"].tolist() == [[1, HOST]]
    for name in ("host_to_device", "device_to_host", "device_to_device"):
        assert after[name] == before[name], name


def test_model_files_are_told_where_they_run(server, folder):
    index = wait_loaded(server)
    assert told(folder, "m_auto") == ["GPU 0 m_auto_0", "GPU 1 m_auto_0"]
    assert told(folder, "m_listed") == ["GPU 0 m_listed_0_0"]
    assert told(folder, "m_cpu") == ["CPU 0 m_cpu_0_0", "CPU 0 m_cpu_0_1"]
    assert told(folder, "m_second") == ["GPU 1 g_0", "GPU 1 g_1"]
    assert told(folder, "m_mixed") == [
        *("CPU 0 m_mixed_1_0", "GPU 0 m_mixed_0_0", "GPU 1 m_mixed_0_0", "MODEL 0 m_mixed_2_0"),
    ]
    assert groups_of(server, "m_auto") == [("KIND_GPU", 1, [0, 1])]
    assert index["m_unknown"]["state"] == "UNAVAILABLE"
    assert "specifies invalid or unsupported gpu id 7" in index["m_unknown"]["reason"]
    for model in ("m_auto", "m_second", "m_mixed"):
        given = {"name": "IN", "datatype": "FP32", "shape": [1, 1], "data": [4]}
        assert server.infer(model, given)[1]["outputs"][0]["data"] == [5]


def test_without_a_gpu_models_run_on_the_host_or_say_why_not(start, tmp_path):
    options = ("--model-repository", str(write_models(tmp_path)), "--exit-on-error=false")
    server = start("copies.py", *options, "--strict-readiness=false")
    index = wait_loaded(server)
    assert told(tmp_path, "m_auto") == ["CPU 0 m_auto_0"]
    reason = "instance group m_any_0 of model m_any has kind KIND_GPU but no GPUs are available"
    assert reason in index["m_any"]["reason"]
    assert "unsupported gpu id 1" in index["m_second"]["reason"]
    assert "none, no GPUs are available" in index["m_second"]["reason"]
    assert server.stop() == 0


def test_without_a_gpu_a_callable_on_one_is_refused(tmp_path):
    said = refused_start("placed.py", tmp_path)
    text = "instance group gpu_0 of model gpu has kind KIND_GPU but no GPUs are available: expected"
    assert f"{text} NVIDIA's driver library" in said


@pytest.mark.parametrize(
    ("wish", "isolation", "text"),
    [
        ({"instance_kind": "KIND_GPU"}, "thread", "expected a DeviceKind, got 'KIND_GPU'"),
        ({"gpus": [0]}, "thread", "has kind KIND_CPU but specifies one or more GPUs"),
        (
            {"instance_kind": DeviceKind.KIND_GPU, "gpus": [-1]},
            *("thread", "expected numbers of devices, got -1"),
        ),
        (
            {"instance_kind": DeviceKind.KIND_AUTO, "gpus": [True]},
            *("thread", "expected numbers of devices, got True"),
        ),
        ({"instance_kind": DeviceKind.KIND_GPU}, "process", "does not carry device memory"),
    ],
)
def test_wishes_that_contradict_themselves_are_refused(wish, isolation, text):
    triton = Triton(config=TritonConfig(http_port=0, grpc_port=0, metrics_port=0))
    given = Tensor((1,), np.float32, "x")
    with pytest.raises((PyTritonBadParameterError, PyTritonValidationError), match=text):
        triton.bind("m", print, [given], [given], config=ModelConfig(**wish), isolation=isolation)
