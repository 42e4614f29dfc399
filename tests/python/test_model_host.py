"""The host of a model.py over a channel in memory: rules and texts of Triton's Python backend."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from python.fake_channel import host_of, raw_request, values
from pytriton.backends._channel import HostError

ECHO = """
class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("Y", pb_utils.get_input_tensor_by_name(r, "X").as_numpy())]
            )
            for r in requests
        ]
"""


def model(body):
    lines = "\n".join("        " + line for line in body.splitlines())
    return "class TritonPythonModel:\n    def execute(self, requests):\n" + lines


def wait_until(condition):
    done = threading.Event()
    for _ in range(1000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("expected the condition to come true")


def test_answers_each_request_of_a_batch(tmp_path):
    host, channel = host_of(tmp_path, ECHO)
    host.execute([raw_request(1), raw_request(2, {"X": np.full(2, 7, np.float32)})])
    assert values(channel.responses[1][0]).tolist() == [0, 1, 2, 3]
    assert values(channel.responses[2][0]).tolist() == [7, 7]
    assert channel.responses[1][0][3] is True


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("return {}", "Expected a list in the execute return, found type '<class 'dict'>'."),
        ("return ()", "Expected a list in the execute return, found type '<class 'tuple'>'."),
        (
            "return [pb_utils.InferenceResponse([])] * 2",
            "Number of InferenceResponse objects do not match the number of InferenceRequest "
            "objects. InferenceRequest(s) size is:1, and InferenceResponse(s) size is:2\n",
        ),
        (
            "return [5]",
            "Expected an 'InferenceResponse' object in the execute function return list, found "
            "type '<class 'int'>'.",
        ),
        ("raise ValueError('boom é')", "ValueError: boom é\n\nAt:\n  {file}(5): execute\n"),
        ("raise SystemExit(3)", "SystemExit: 3\n\nAt:\n  {file}(5): execute\n"),
        (
            "raise pb_utils.TritonModelException('tme text')",
            "TritonModelException: tme text\n\nAt:\n  {file}(5): execute\n",
        ),
        (
            "pb_utils.Tensor('', np.zeros(1))",
            "TritonModelException: Tensor name cannot be an empty string.\n\nAt:\n"
            "  {file}(5): execute\n",
        ),
    ],
)
def test_fails_the_batch_with_the_documented_text(tmp_path, body, text):
    host, channel = host_of(tmp_path, model(body))
    with pytest.raises(HostError) as error:
        host.execute([raw_request()])
    file = host.runtime.setup.model_file
    assert str(error.value) == text.replace("{file}", file)
    assert channel.responses == {}


def test_names_a_model_without_execute(tmp_path):
    host, _ = host_of(tmp_path, "class TritonPythonModel: pass")
    with pytest.raises(HostError, match="does not implement `execute` method"):
        host.execute([raw_request()])


def test_an_error_response_fails_one_request(tmp_path):
    body = """
return [
    pb_utils.InferenceResponse(
        [], pb_utils.TritonError("no", pb_utils.TritonError.NOT_FOUND)
    ),
    pb_utils.InferenceResponse([], parameters={"a": 1}),
]
"""
    host, channel = host_of(tmp_path, model(body))
    host.execute([raw_request(1), raw_request(2)])
    assert channel.responses[1][0][1] == (2, "no")
    assert channel.responses[2] == [([], None, '{"a":1}', True)]


def test_none_without_a_sender_is_released(tmp_path):
    host, channel = host_of(tmp_path, model("return None"))
    host.execute([raw_request(1)])
    wait_until(lambda: channel.released == [1])
    host.finalize()


def test_a_request_that_is_kept_may_be_answered_later(tmp_path):
    host, channel = host_of(
        tmp_path,
        """
kept = []
class TritonPythonModel:
    def execute(self, requests):
        kept.extend(requests)
        return [None]
""",
    )
    host.execute([raw_request(1)])
    assert channel.released == []
    kept = host._module.kept
    kept.pop().get_response_sender().send(host._module.pb_utils.InferenceResponse([]), 1)
    assert channel.responses[1] == [([], None, "", True)]
    host.finalize()
    assert channel.released == []


def test_rescheduled_requests_go_back(tmp_path):
    body = """
requests[0].set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)
return [None]
"""
    host, channel = host_of(tmp_path, model(body))
    host.execute([raw_request(1)])
    assert channel.rescheduled == [1]


def test_decoupled_sends_from_a_thread_after_execute(tmp_path):
    host, channel = host_of(
        tmp_path,
        """
import threading
go = threading.Event()
class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            threading.Thread(target=self.answer, args=(request.get_response_sender(),)).start()
    def answer(self, sender):
        go.wait()
        for i in range(3):
            array = np.full(1, i, np.float32)
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("Y", array)]))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
""",
        decoupled=True,
    )
    host.execute([raw_request(1)])
    assert channel.responses == {}
    host._module.go.set()
    wait_until(lambda: len(channel.responses.get(1, ())) == 4)
    assert [values(r)[0] for r in channel.responses[1][:3]] == [0, 1, 2]
    assert channel.responses[1][3] == ([], None, "", True)
    host.finalize()
    assert channel.released == []


def test_decoupled_refuses_a_return_value(tmp_path):
    host, _ = host_of(tmp_path, model("return []"), decoupled=True)
    with pytest.raises(HostError, match="'m_0_0' is using the decoupled mode and the execute func"):
        host.execute([raw_request(1)])


def test_decoupled_coroutine_that_fails_answers_its_requests(tmp_path):
    source = """
class TritonPythonModel:
    async def execute(self, requests):
        requests[0].get_response_sender().send(flags=1)
        raise KeyError("x")
"""
    host, channel = host_of(tmp_path, source, decoupled=True)
    host.execute([raw_request(1), raw_request(2)])
    wait_until(lambda: 2 in channel.responses)
    _, (code, text), _, final = channel.responses[2][0]
    assert (code, final) == (1, True)
    assert text.startswith("Failed to process the request(s) for model 'm_0_0', message: KeyError")
    assert channel.responses[1] == [([], None, "", True)]
    host.finalize()


def test_coroutines_of_other_models_are_waited_for(tmp_path):
    source = ECHO.replace("def execute", "async def execute")
    host, channel = host_of(tmp_path, source)
    host.execute([raw_request(1)])
    assert values(channel.responses[1][0]).tolist() == [0, 1, 2, 3]
    host.finalize()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("s.send()", "Inference Response object must be provided when the response flags is set"),
        ("s.send(R, 4)", "Unable to send response. Unsupported flag provided."),
        ("s.send(None, 1)", "Non-decoupled model cannot send complete final before sending a resp"),
        ("s.send(R); s.send(R)", "Non-decoupled model cannot send more than one response."),
        ("s.send(R, 1); s.send(R)", "Unable to send response. Response sender has been closed."),
        ("s.send(5)", "TypeError: expected an InferenceResponse"),
    ],
)
def test_senders_refuse_what_may_not_be_sent(tmp_path, body, text):
    source = "R = pb_utils.InferenceResponse([])\n" + model(
        f"s = requests[0].get_response_sender()\n{body}"
    )
    host, _ = host_of(tmp_path, source)
    with pytest.raises(HostError) as error:
        host.execute([raw_request(1)])
    assert text in str(error.value)


def test_a_sender_and_a_response_log_the_second(tmp_path):
    body = """
requests[0].get_response_sender().send(pb_utils.InferenceResponse([]), 1)
return [pb_utils.InferenceResponse([])]
"""
    host, channel = host_of(tmp_path, model(body))
    host.execute([raw_request(1)])
    assert len(channel.responses[1]) == 1
    assert "cannot send more than one response" in channel.lines[0][3]


def test_requests_tell_all_they_came_with(tmp_path):
    host, channel = host_of(
        tmp_path,
        """
seen = []
class TritonPythonModel:
    def execute(self, requests):
        r = requests[0]
        seen.append((r.request_id(), r.correlation_id(), r.flags(), r.timeout(), r.parameters(),
            r.requested_output_names(), r.trace().get_context(), r.is_cancelled()))
        return [pb_utils.InferenceResponse([])]
""",
    )
    channel.cancelled.add(1)
    host.execute(
        [raw_request(1, id="i", correlation_id="s", flags=3, timeout=9, parameters='{"a":1}')]
    )
    assert host._module.seen == [("i", "s", 3, 9, '{"a":1}', {"Y"}, None, True)]


def test_relative_and_plain_imports_find_neighbours(tmp_path):
    files = {"helper_a.py": "A = 1", "helper_b.py": "B = 2"}
    source = "import helper_a\nfrom . import helper_b\n" + ECHO
    host, _ = host_of(tmp_path, source, files=files)
    assert host._module.helper_b.B == 2
    assert host._module.__name__ == f"{host.runtime.setup.version}.model"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1", "AttributeError: module '{v}.model' has no attribute 'TritonPythonModel'"),
        ("def f(:", "SyntaxError: invalid syntax (model.py, line 3)"),
        (
            "import nope_x",
            "ModuleNotFoundError: No module named 'nope_x'\n\nAt:\n  {f}(3): <module>",
        ),
        (
            "class TritonPythonModel:\n    def initialize(self, args): raise RuntimeError('bad')",
            "RuntimeError: bad\n\nAt:\n  {f}(4): initialize\n",
        ),
    ],
)
def test_load_errors_have_the_documented_text(tmp_path, source, text):
    with pytest.raises(HostError) as error:
        host_of(tmp_path, source)
    version = next((tmp_path / "m").iterdir()).name
    file = str(tmp_path / "m" / version / "model.py")
    assert str(error.value).startswith(text.replace("{v}", version).replace("{f}", file))


def test_auto_complete_takes_what_a_model_may_complete(tmp_path):
    host, _ = host_of(
        tmp_path,
        """
class TritonPythonModel:
    @staticmethod
    def auto_complete_config(c):
        c.add_input({"name": "X", "data_type": "TYPE_FP32", "dims": [-1]})
        c.set_max_batch_size(8)
        c.set_dynamic_batching()
        c.as_dict()["parameters"] = {"lost": {"string_value": "x"}}
        return c
""",
        initialize=False,
    )
    completed = json.loads(host.complete_config('{"name": "m", "parameters": {}}'))
    assert completed == {
        "name": "m",
        "parameters": {},
        "max_batch_size": 8,
        "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": [-1]}],
        "dynamic_batching": {},
    }


def test_auto_complete_must_return_a_configuration(tmp_path):
    source = """
class TritonPythonModel:
    @staticmethod
    def auto_complete_config(c): return None
"""
    host, _ = host_of(tmp_path, source, initialize=False)
    with pytest.raises(HostError, match=r"in model 'm' must return a valid pb\.ModelConfig object"):
        host.complete_config('{"name": "m"}')


def test_is_ready_tells_the_reason(tmp_path):
    source = "answer = True\n" + ECHO + "    def is_ready(self): return answer\n"
    host, _ = host_of(tmp_path, source)
    assert host.is_ready() is None
    host._module.answer = False
    assert host.is_ready() == "Model 'm_0_0' is not ready (user-defined check failed)."
    host._module.answer = 1
    assert host.is_ready() == "is_ready() must return a boolean value"


def test_finalize_may_fail_and_may_not_call_models(tmp_path):
    source = ECHO + (
        "    def finalize(self): pb_utils.InferenceRequest(inputs=[], model_name='a',"
        " requested_output_names=[]).exec()\n"
    )
    host, channel = host_of(tmp_path, source)
    host.finalize()
    assert "BLS is only supported during the 'execute' function." in channel.lines[0][3]
