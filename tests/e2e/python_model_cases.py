"""Questions to the models of python_models/, and what a server answers, as plain data.

`python -m e2e.python_model_cases HTTP_PORT GRPC_PORT` prints the answers of the server at these
ports as JSON. So Triton's answers in conformance/python_models.json were recorded.
"""

from __future__ import annotations

import json
import queue
import re
import sys
import urllib.error
import urllib.request

import numpy as np
import tritonclient.grpc as grpc_client

ERRORS = (
    *("dict", "tuple", "count", "element", "raise", "empty", "deep", "exit", "model_exception"),
    *("tensor", "dtype", "generator", "sender_twice", "final_first"),
)
ANSWERS = ("sender_and_response", "sender", "unknown_output", "wrong_dtype", "nothing", "good")
CODES = (
    *("UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED"),
    *("ALREADY_EXISTS", "CANCELLED"),
)
X = [[1.0, 2.0], "float32"]


class Peer:
    """A server to ask."""

    def __init__(self, http_port: int, grpc_port: int):
        self.base = f"http://127.0.0.1:{http_port}/v2"
        self.grpc_port = grpc_port

    def http(self, path, body=None):
        """Status and body; JSON where it is some."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return [status, json.loads(text)]
        except ValueError:
            return [status, text]

    def infer(self, model, inputs, **fields):
        """Inputs: name -> (datatype, shape, flat values). Outputs come back as name -> values."""
        tensors = [
            {"name": name, "datatype": datatype, "shape": shape, "data": values}
            for name, (datatype, shape, values) in inputs.items()
        ]
        status, body = self.http(f"/models/{model}/infer", {"inputs": tensors, **fields})
        if status != 200:
            return [status, body.get("error") if isinstance(body, dict) else body]
        outputs = {o["name"]: [o["datatype"], o["shape"], o["data"]] for o in body["outputs"]}
        return [status, outputs, body.get("parameters", {})]

    def stream(self, model, count):
        """All that comes for one request on a gRPC stream, the empty end too."""
        client = grpc_client.InferenceServerClient(f"127.0.0.1:{self.grpc_port}")
        came = queue.Queue()
        client.start_stream(lambda result, error: came.put((result, error)))
        tensor = grpc_client.InferInput("COUNT", [1], "INT32")
        tensor.set_data_from_numpy(np.array([count], np.int32))
        client.async_stream_infer(model, [tensor], enable_empty_final_response=True)
        told = []
        while True:
            result, error = came.get(timeout=60)
            if error is not None:
                told.append(["error", error.message()])
                break
            response = result.get_response()
            index = result.as_numpy("INDEX")
            is_final = response.parameters["triton_final_response"].bool_param
            told.append([None if index is None else index.tolist(), is_final])
            if is_final:
                break
        client.stop_stream()
        client.close()
        return told


def _ask(peer, **asked):
    inputs = {"REQUEST": ("BYTES", [1], [json.dumps(asked)])}
    answer = peer.infer("asks", inputs)
    return answer[1]["ANSWER"][2][0] if answer[0] == 200 else answer


def _failures(peer, told):
    for what in (*ERRORS, *ANSWERS, *(f"code {code}" for code in CODES)):
        told[f"failures {what}"] = peer.infer("failures", {"WHAT": ("BYTES", [1], [what])})


def _tells(peer, told):
    inputs = {"X": ("FP32", [2, 3], [0.0] * 6)}
    told["tells plain"] = peer.infer("tells", inputs)
    parameters = {
        "a": 1,
        "b": "x",
        "c": True,
        "timeout": 60000000,
        "priority": 0,
        "binary_data_output": False,
    }
    told["tells parameters"] = peer.infer("tells", inputs, id="me", parameters=parameters)
    for name, key in (("number", 5), ("text", "abc"), ("zero", 0)):
        parameters = {"sequence_id": key, "sequence_start": True, "sequence_end": True}
        told[f"tells sequence {name}"] = peer.infer("tells", inputs, parameters=parameters)
    for case in [case for case in told if case.startswith("tells ")]:
        assert told[case][0] == 200, told[case]
        texts = told[case][1]["TEXT"]
        texts[2] = [json.loads(text) for text in texts[2]]
        told[case] = texts


def _calls(peer, told):
    told["scripted"] = peer.infer("scripted", {"X": ("FP32", [2], [1.0, 2.0])})
    good = {"model": "completed", "inputs": {"X": [[[1.0, 2.0]], "float32"]}}
    cases = {
        "good": good,
        "one output": {**good, "outputs": ["Y"]},
        "unknown model": {**good, "model": "nope"},
        "unknown version": {**good, "version": 7},
        "unknown input": {"model": "completed", "inputs": {"Q": [[[1.0]], "float32"]}},
        "no inputs": {"model": "completed", "inputs": {}},
        "wrong type": {"model": "completed", "inputs": {"X": [[[1]], "int32"]}},
        "unknown output": {**good, "outputs": ["Z"]},
        "decoupled": {"model": "repeat", "inputs": {"COUNT": [[1], "int32"]}},
        "its error": {"model": "failures", "inputs": {"WHAT": [["code NOT_FOUND"], "object"]}},
        "its exception": {"model": "failures", "inputs": {"WHAT": [["raise"], "object"]}},
        "ready": {"ready": "completed"},
        "ready version": {"ready": "completed", "version": "1"},
        "ready unknown": {"ready": "nope"},
        "ready bad version": {"ready": "completed", "version": "x"},
    }
    for name, asked in cases.items():
        told[f"asks {name}"] = _ask(peer, **asked)


def _metrics(peer, told):
    inputs = {"X": ("FP32", [3], [1.0, 5.0, 500.0])}
    told["counts"] = peer.infer("counts", inputs)


def ask_all(peer):
    """Every question's answer by name."""
    told = {}
    status, index = peer.http("/repository/index", {})
    assert status == 200
    for row in sorted(index, key=lambda row: row["name"]):
        # Metadata of the others is everybody's; here it is why a model can't be loaded.
        if row["name"].startswith("broken"):
            told[f"index {row['name']}"] = [row.get("state"), row.get("reason")]
    config = peer.http("/models/completed/config")[1]
    told["config completed"] = [config["max_batch_size"], config["input"], config["output"]]
    x = ("FP32", [2, 2], [1.0, 2.0, 3.0, 4.0])
    told["completed"] = peer.infer("completed", {"X": x})
    told["completed strings"] = peer.infer("completed", {"X": x, "S": ("BYTES", [2, 1], ["é", ""])})
    told["several files"] = peer.infer("several_files", {"X": ("FP32", [2], [1.0, 2.0])})
    _failures(peer, told)
    _tells(peer, told)
    for count in (3, 0, -1, -2, -3, -4):
        told[f"repeat {count}"] = peer.stream("repeat", count)
    told["async repeat 3"] = peer.stream("async_repeat", 3)
    told["repeat by infer"] = peer.infer("repeat", {"COUNT": ("INT32", [1], [1])})
    _calls(peer, told)
    _metrics(peer, told)
    return told


def without_paths(told):
    """The same without what differs from machine to machine: directories."""
    text = json.dumps(told, ensure_ascii=False)
    return json.loads(re.sub(r"[^\s\"]*/(\w+/1/model\.py)", r"\1", text))


if __name__ == "__main__":
    answers = without_paths(ask_all(Peer(int(sys.argv[1]), int(sys.argv[2]))))
    print(json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True))
