"""Documented limitation: "several scripts hosting PyTriton on one machine are not feasible"."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from pytriton.decorators import batch
from pytriton.exceptions import PyTritonRuntimeError
from pytriton.model_config import Tensor
from pytriton.testing import FREE_PORTS, serve
from pytriton.triton import Triton, TritonConfig

SCRIPT = """\
import sys
import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.testing import FREE_PORTS
from pytriton.triton import Triton, TritonConfig

@batch
def add(x):
    return {"x": x + int(sys.argv[1])}

triton = Triton(config=TritonConfig(**FREE_PORTS))
triton.bind("M", add, *[[Tensor(name="x", shape=(1,), dtype=np.int32)]] * 2)
triton.run()
print(triton.http_port, flush=True)
sys.stdin.readline()
triton.stop()
"""


def ask(port, value):
    import json
    import urllib.request

    tensor = {"name": "x", "datatype": "INT32", "shape": [1, 1], "data": [value]}
    body = json.dumps({"inputs": [tensor]}).encode()
    url = f"http://127.0.0.1:{port}/v2/models/M/infer"
    with urllib.request.urlopen(url, body, timeout=60) as answer:
        return json.load(answer)["outputs"][0]["data"][0]


def test_several_scripts_on_one_machine_with_automatic_ports(tmp_path):
    script = tmp_path / "host.py"
    script.write_text(textwrap.dedent(SCRIPT))
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(100 * i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for i in range(3)
    ]
    try:
        ports = [int(process.stdout.readline()) for process in processes]
        assert len(set(ports)) == 3
        assert [ask(port, 1) for port in ports] == [1, 101, 201]
        assert processes[1].communicate("\n", timeout=60)
        assert [ask(port, 2) for port in (ports[0], ports[2])] == [2, 202]
        for process in (processes[0], processes[2]):
            process.communicate("\n", timeout=60)
        assert [process.returncode for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def test_servers_of_one_process_start_and_stop_at_the_same_instant():
    count = 6
    together = threading.Barrier(count)

    def live(number):
        @batch
        def add(x):
            return {"x": x + number}

        tensors = [Tensor(name="x", shape=(1,), dtype=np.int32)]
        answers = []
        for _ in range(3):
            triton = Triton(config=TritonConfig(**FREE_PORTS))
            triton.bind("M", add, tensors, tensors)
            together.wait(60)
            triton.run()
            answers.append(ask(triton.http_port, 1))
            together.wait(60)
            triton.stop()
            assert not triton.is_alive()
        return answers

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        results = list(pool.map(live, range(count)))
    assert results == [[1 + number] * 3 for number in range(count)]


def test_a_busy_port_is_named_at_once_and_disturbs_nobody():
    tensors = [Tensor(name="x", shape=(1,), dtype=np.int32)]
    with serve(batch(lambda x: {"x": x}), tensors, tensors, model_name="M") as served:
        port = served.triton.http_port
        second = Triton(config=TritonConfig(**{**FREE_PORTS, "http_port": port}))
        with pytest.raises(PyTritonRuntimeError, match=str(port)):
            second.run()
        assert not second.is_alive()
        assert ask(port, 3) == 3
