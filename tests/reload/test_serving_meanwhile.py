"""What clients and probes see while models come, go and change."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from e2e.harness import wait_until
from reload.repository import CONFIG, RepositoryServer

EXPLICIT = ("--model-control-mode", "explicit")
BALLAST = 200 << 20
SLOW = 'parameters { key: "load_delay_ms" value { string_value: "150" } }'
EXCLUSIVE = 'parameters { key: "exclusive_group" value { string_value: "one" } }'
ALONE = """
import os
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        lock = os.open(LOCK, os.O_CREAT | os.O_EXCL)  # fails when another one runs
        time.sleep(0.02)
        os.unlink(LOCK)
        os.close(lock)
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("Y", pb_utils.get_input_tensor_by_name(request, "X").as_numpy())]
            )
            for request in requests
        ]
"""
WARM_UP = """
model_warmup {{
  name: "first" batch_size: 1 count: 3
  inputs {{ key: "{name}" value {{ data_type: TYPE_FP32 dims: 4 random_data: true }} }}
}}
"""


class Probes(threading.Thread):
    """Asks again and again whether all is ready; notes every other answer."""

    def __init__(self, server: RepositoryServer):
        super().__init__()
        self.port, self.asked, self.unready = server.http, 0, []
        self.stopping = threading.Event()
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stopping.is_set():
            for path in ("/v2/health/ready", "/v2/models/m/ready", "/v2/models/m/versions/1/ready"):
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                self.asked += 1
                if response.status != 200:
                    self.unready.append((path, response.status))
        connection.close()

    def stop(self) -> list[tuple[str, int]]:
        self.stopping.set()
        self.join()
        return self.unready


def test_readiness_does_not_flap(repository, serve):
    repository.write_model("m", content="0", more=SLOW)
    repository.write_model("other", more=SLOW)
    server = serve(*EXPLICIT, "--load-model", "m")
    probes = Probes(server)
    try:
        for number in range(1, 6):
            repository.write_content("m", str(number))
            assert server.load("m")[0] == 200
            assert server.load("other")[0] == 200
            assert server.unload("other")[0] == 200
        repository.write_config("m", CONFIG.format(more="no_such_field: 1"))
        assert server.load("m")[0] == 500
        repository.write_config("m", CONFIG.format(more=SLOW.replace("load_delay_ms", "fail_load")))
        assert server.load("m")[0] == 400
        asked = probes.asked
        wait_until(lambda: probes.asked > asked + 30, "some more probes")
    finally:
        assert probes.stop() == []


def test_unload_tells_what_it_gave_back(repository, serve):
    size = f'parameters {{ key: "load_bytes" value {{ string_value: "{BALLAST}" }} }}'
    repository.write_model("m", more=size)
    server = serve(*EXPLICIT, "--load-model", "m")
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=30)
    connection.request("POST", "/v2/repository/models/m/unload", b"")
    response = connection.getresponse()
    response.read()
    before = int(response.headers["Resident-Bytes-Before"])
    after = int(response.headers["Resident-Bytes-After"])
    connection.close()
    assert before > BALLAST
    assert before - after > BALLAST * 0.9
    server.wait_metric("pytriton_model_unloads", 1)
    text = server.get("/metrics", port=server.metrics)[1].decode()
    for moment, value in (("before", before), ("after", after)):
        assert f"pytriton_unload_resident_{moment}_bytes {value}\n" in text


def test_models_of_an_exclusive_group_take_turns(repository, serve, tmp_path: Path):
    code = ALONE.replace("LOCK", repr(str(tmp_path / "lock")))
    for name in ("a", "b"):
        repository.write_python_model(name, code, more=EXCLUSIVE)
    server = serve()
    answers = []

    def ask(name: str) -> None:
        tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [1]}
        for _ in range(5):
            answers.append(server.infer(name, tensor)[0])

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20, server.log


def add_onnx(folder: Path) -> None:
    (folder / "1").mkdir(parents=True)
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 4]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, folder / "1" / "model.onnx")


def test_python_and_onnx_models_warm_up(repository, serve):
    identity = (
        ALONE.split("class")[0] + "class TritonPythonModel:\n    def execute(self, requests):\n"
    )
    identity += "        return [\n" + ALONE.split("return [\n")[1]
    config = "input { name: 'x' data_type: TYPE_FP32 dims: 4 } max_batch_size: 8\n"
    config += "output { name: 'y' data_type: TYPE_FP32 dims: 4 } backend: 'onnxruntime'\n"
    repository.write_python_model("python", identity, more=WARM_UP.format(name="X"))
    add_onnx(repository.path / "onnx")
    (repository.path / "onnx" / "config.pbtxt").write_text(
        config + WARM_UP.format(name="x") + "instance_group { count: 1 kind: KIND_CPU }"
    )
    add_onnx(repository.path / "plain")
    server = serve("--backend-config", "onnxruntime,default-max-batch-size=17")
    for name in ("python", "onnx"):
        assert server.metric("nv_inference_count", name) == 3
    assert server.metric("nv_inference_count", "plain") == 0
    config = server.get("/v2/models/plain/config")[1]
    assert b'"max_batch_size":17' in config


def test_backends_of_a_directory_get_their_settings(repository, serve, tmp_path: Path):
    backend = tmp_path / "backends" / "shouts"
    backend.mkdir(parents=True)
    (backend / "model.py").write_text(
        "import os\nimport numpy as np\nimport triton_python_backend_utils as pb_utils\n"
        "class TritonPythonModel:\n"
        "    def execute(self, requests):\n"
        "        text = os.environ['PYTRITON_BACKEND_CONFIG']\n"
        "        tensor = pb_utils.Tensor('Y', np.array([text], np.object_))\n"
        "        return [pb_utils.InferenceResponse([tensor]) for _ in requests]\n"
    )
    (repository.path / "m" / "1").mkdir(parents=True)
    (repository.path / "m" / "config.pbtxt").write_text(
        "backend: 'shouts' input { name: 'X' data_type: TYPE_FP32 dims: 1 }"
        "output { name: 'Y' data_type: TYPE_STRING dims: 1 }"
    )
    options = ("--backend-directory", str(tmp_path / "backends"))
    for setting in (
        "shouts,loud=yes",
        "speed=1",
        "shouts,speed=2",
        "python,shm-growth-byte-size=9",
    ):
        options += ("--backend-config", setting)
    server = serve(*options)
    tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [1]}
    status, answer = server.infer("m", tensor)
    assert status == 200, answer
    assert answer["outputs"][0]["data"] == ["loud=yes\nspeed=2\n"]
