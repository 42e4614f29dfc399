"""Start, stop, restart, signals, several servers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import tritonclient.http
from tritonclient.utils import InferenceServerException

from python.running import ANY_PORTS, Running
from pytriton.client import ModelClient
from pytriton.decorators import batch
from pytriton.exceptions import (
    PyTritonBadParameterError,
    PyTritonInvalidOperationError,
    PyTritonRuntimeError,
    PyTritonUnrecoverableError,
    PyTritonValidationError,
)
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonLifecyclePolicy

X = [Tensor(shape=(1,), dtype=np.float32, name="x")]
Y = [Tensor(shape=(1,), dtype=np.float32, name="y")]
ROW = np.ones((1, 1), np.float32)


def scaled(factor):
    return batch(lambda x: {"y": x * factor})


def make(**config):
    return Triton(config=TritonConfig(**{**ANY_PORTS, **config}))


def ask(triton, model="M"):
    running = Running(triton)
    try:
        return float(running.infer("http", {"x": ROW}, model=model)["y"][0, 0])
    finally:
        running.close()


def test_states_and_return_values():
    triton = make()
    triton.bind("M", scaled(2), X, Y)
    assert (triton.is_alive(), triton.is_connected()) == (False, False)
    assert triton.stop() is False
    triton.run()
    triton.run()
    assert (triton.is_alive(), triton.is_connected()) == (True, True)
    assert ask(triton) == 2
    assert triton.stop() is True
    assert triton.stop() is False
    assert triton.is_alive() is False


def test_the_same_object_runs_again():
    triton = make()
    triton.bind("M", scaled(2), X, Y)
    for _ in range(2):
        triton.run()
        assert ask(triton) == 2
        triton.stop()
    triton.bind("M", scaled(3), X, Y)
    with triton:
        assert ask(triton) == 3


def test_policy_decides_whether_the_context_starts_the_server():
    policy = TritonLifecyclePolicy(launch_triton_on_startup=False)
    with Triton(config=TritonConfig(**ANY_PORTS), triton_lifecycle_policy=policy) as triton:
        assert not triton.is_alive()
        triton.run()
        assert triton.is_alive()


def test_a_model_bound_while_running_is_ready_at_once():
    with make() as triton:
        triton.bind("M", scaled(4), X, Y)
        assert ask(triton) == 4


def test_two_versions_of_a_model():
    with make() as triton:
        triton.bind("M", scaled(1), X, Y, model_version=1)
        triton.bind("M", scaled(2), X, Y, model_version=2)
        running = Running(triton)
        for version in ("1", "2"):
            result = running.infer("http", {"x": ROW}, model_version=version)
            assert result["y"] == float(version)
        running.close()


def test_two_servers_side_by_side():
    with make() as first, make() as second:
        first.bind("M", scaled(1), X, Y)
        second.bind("M", scaled(2), X, Y)
        assert (ask(first), ask(second)) == (1, 2)
        first.stop()
        assert ask(second) == 2


@pytest.mark.parametrize("off", ["http", "grpc", "metrics"])
def test_each_port_may_be_off(off):
    with make(**{f"allow_{off}": False}) as triton:
        triton.bind("M", scaled(3), X, Y)
        ports = {name: getattr(triton, f"{name}_port") for name in ("http", "grpc", "metrics")}
        assert [name for name, port in ports.items() if not port] == [off]
        protocol = "grpc" if off == "http" else "http"
        with ModelClient(f"{protocol}://127.0.0.1:{ports[protocol]}", "M") as client:
            assert client.infer_batch(ROW)["y"].tolist() == [[3]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "cannot be empty"),
        ("a b", "can only contain alphanumeric"),
        ("a\n", "can only contain"),
    ],
)
def test_bind_checks_names(name, text):
    with pytest.raises(PyTritonValidationError, match=text):
        make().bind(name, scaled(1), X, Y)


def test_bind_refuses_what_is_no_callable():
    with pytest.raises(PyTritonValidationError, match="either callable or sequence of callables"):
        make().bind("M", 3, X, Y)


def test_bind_refuses_optional_outputs():
    with pytest.raises(PyTritonValidationError, match="Output tensors cannot be optional"):
        make().bind("M", scaled(1), X, [Tensor((1,), np.int8, optional=True)])


def test_bind_refuses_the_same_name_twice():
    triton = make()
    triton.bind("M", scaled(1), X, Y)
    with pytest.raises(PyTritonInvalidOperationError, match="same name twice"):
        triton.bind("m", scaled(1), X, Y)


BAD = [
    (ModelConfig(max_batch_size=0), "must be greater or equal to 1"),
    (ModelConfig(batcher=DynamicBatcher(priority_levels=2)), "must be between 1 and 2"),
]


@pytest.mark.parametrize(("config", "text"), BAD)
def test_a_bad_configuration_fails_at_run_or_at_a_late_bind(config, text):
    triton = make()
    triton.bind("M", scaled(1), X, Y, config=config)
    with pytest.raises(PyTritonBadParameterError, match=text):
        triton.run()
    with make() as running:
        with pytest.raises(PyTritonBadParameterError, match=text):
            running.bind("M", scaled(1), X, Y, config=config)
        running.bind("M", scaled(5), X, Y)
        assert ask(running) == 5


def test_a_busy_port_is_named_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PyTritonRuntimeError, match=str(port)):
            make(http_port=port).run()


def test_a_failed_start_can_be_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        triton = make(http_port=taken.getsockname()[1])
        triton.bind("M", scaled(2), X, Y)
        with pytest.raises(PyTritonRuntimeError):
            triton.run()
    with triton:
        assert ask(triton) == 2


def test_serve_in_a_thread_ends_when_stopped_elsewhere():
    triton = make()
    triton.bind("M", scaled(2), X, Y)
    triton.run()
    thread = threading.Thread(target=triton.serve)
    thread.start()
    assert ask(triton) == 2
    assert triton.stop() is True
    thread.join(30)
    assert not thread.is_alive()


def raise_it(error):
    def function(requests):
        raise error

    return function


@pytest.mark.parametrize(
    "error", [PyTritonUnrecoverableError("broken for good"), SystemExit(3), KeyboardInterrupt()]
)
def test_a_fatal_error_is_answered_and_stops_the_server(error):
    triton = make()
    triton.bind("M", raise_it(error), X, Y)
    triton.run()
    thread = threading.Thread(target=triton.serve)
    thread.start()
    with pytest.raises(InferenceServerException, match=type(error).__name__):
        ask(triton)
    thread.join(30)
    assert not thread.is_alive()
    assert not triton.is_alive()


def test_a_callable_may_stop_its_server():
    triton = make()

    def function(requests):
        triton.stop()
        return [{"y": ROW}]

    triton.bind("M", function, X, Y)
    triton.run()
    thread = threading.Thread(target=triton.serve)
    thread.start()
    assert ask(triton) == 1
    thread.join(30)
    assert not thread.is_alive()


def test_verbose_logging_warns_at_start_and_stop(caplog):
    text = "running with enabled verbose logs (log_verbose_level=1)"
    with caplog.at_level(logging.WARNING), make(log_verbose=1):
        assert caplog.text.count(text) == 1
    assert caplog.text.count(text) == 2
    caplog.clear()
    with caplog.at_level(logging.WARNING), make():
        pass
    assert "verbose" not in caplog.text


def test_nothing_is_left_after_stop(tmp_path):
    def threads():
        return {
            open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")
        }

    before = threads()
    with make(), Triton(config=TritonConfig(**ANY_PORTS), workspace=tmp_path / "w") as triton:
        triton.bind("M", scaled(2), X, Y)
        ask(triton)
    assert not (tmp_path / "w").exists()
    assert {
        name for name in threads() - before if "inference" in name or name[:3] == "pt-"
    } == set()


APP = """
    import sys
    import numpy as np
    from pytriton.decorators import batch
    from pytriton.model_config import ModelConfig, Tensor
    from pytriton.triton import Triton, TritonConfig

    @batch
    def double(x):
        return {"y": x * 2}

    triton = Triton(config=TritonConfig(http_port=1, grpc_port=2, metrics_port=3))
    triton.bind(
        "M",
        infer_func=double,
        inputs=[Tensor(name="x", dtype=np.float32, shape=(1,))],
        outputs=[Tensor(name="y", dtype=np.float32, shape=(1,))],
        config=ModelConfig(max_batch_size=8),
    )
"""
SERVES_ITSELF = APP + "    triton.serve()\n    print('after serve', flush=True)\n"
FACTORY = APP + "    def make():\n        return triton\n"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(port, process):
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}")
    pause = threading.Event()
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        try:
            if client.is_server_ready():
                return client
        except OSError:
            pass
        pause.wait(0.05)
    raise AssertionError("the server was never ready")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("text", "target"),
    [(APP, "app.py"), (SERVES_ITSELF, "app.py"), (APP, "app:triton"), (FACTORY, "app:make")],
)
def test_command_serves_until_a_signal(tmp_path, sent, text, target):
    (tmp_path / "app.py").write_text(textwrap.dedent(text))
    http, grpc, metrics = free_ports(3)
    options = [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytriton.serve", target, *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        client = wait_for(http, process)
        tensor = tritonclient.http.InferInput("x", [1, 1], "FP32")
        tensor.set_data_from_numpy(ROW)
        assert client.infer("M", [tensor]).as_numpy("y") == 2
        process.send_signal(sent)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert ("after serve" in out) == (text == SERVES_ITSELF)


def test_an_interpreter_that_ends_without_stop_ends_cleanly(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(APP) + "triton.run()\n")
    http, grpc, metrics = free_ports(3)
    prefix = "PYTRITON_TRITON_CONFIG_"
    code = (tmp_path / "app.py").read_text().replace("http_port=1", f"http_port={http}")
    code = code.replace("grpc_port=2", f"grpc_port={grpc}").replace("=3)", f"={metrics})")
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, prefix + "LOG_INFO": "false"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


FATAL = """
import numpy as np
from pytriton.client import ModelClient
from pytriton.client.exceptions import PyTritonClientInferenceServerError
from pytriton.exceptions import PyTritonUnrecoverableError
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig

def broken(requests):
    raise PyTritonUnrecoverableError("for good")

triton = Triton(config=TritonConfig(http_port=0, grpc_port=0, allow_metrics=False))
triton.bind("M", broken, [Tensor((1,), np.int8)], [Tensor((1,), np.int8)])
triton.run()
with ModelClient(f"http://localhost:{triton.http_port}", "M") as client:
    try:
        client.infer_sample(np.ones(1, np.int8))
    except PyTritonClientInferenceServerError:
        while triton.is_alive():
            pass
"""


def test_an_interpreter_that_ends_while_a_fatal_error_stops_the_server_ends_cleanly():
    result = subprocess.run(
        [sys.executable, "-c", FATAL], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
