"""A channel in memory, and hosts of models over it."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path

import numpy as np

from pytriton.backends._channel import CallError, RawRequest, WorkerSetup
from pytriton.backends.python import datatypes
from pytriton.backends.python.host import make_host

UTILS_DIR = str(Path(make_host.__code__.co_filename).parent)
_versions = itertools.count(1000)  # a module name of its own for each model


class FakeChannel:
    """Keeps what the host sends, by request key; answers calls from a table."""

    def __init__(self):
        self.responses = {}  # key -> [(outputs, error, parameters, final)]
        self.released = []
        self.rescheduled = []
        self.cancelled = set()
        self.lines = []
        self.updates = []
        self.calls = []
        self.submitted = []
        self.answer_call = lambda kind, payload: {}
        self.answer_inner = None

    def respond(self, key, outputs, error=None, parameters="", final=True, sealed=()):
        copies = [(n, c, tuple(s), bytes(memoryview(d).cast("B"))) for n, c, s, d in outputs]
        self.responses.setdefault(key, []).append((copies, error, parameters, final))

    def respond_all(self, answers):
        for key, outputs, error, parameters in answers:
            self.respond(key, outputs, error, parameters, True)

    def reschedule(self, key):
        self.rescheduled.append(key)

    def release(self, key):
        self.released.append(key)

    def is_cancelled(self, key):
        return key in self.cancelled

    def allocate(self, nbytes):
        return memoryview(bytearray(nbytes))

    def log(self, level, file, line, text):
        self.lines.append((level, file, line, text))

    def is_logged(self, level):
        return level != 3

    def update_metrics(self, updates):
        self.updates.extend(updates)

    def call(self, kind, payload):
        self.calls.append((kind, payload))
        answer = self.answer_call(kind, payload)
        if isinstance(answer, str):
            raise CallError(answer)
        return answer

    def submit(self, request, on_response):
        self.submitted.append(request)
        self.answer_inner(request, on_response)
        return len(self.submitted)

    def cancel_submit(self, call):
        self.cancelled.add(-call)


def raw_tensor(name, array):
    array = np.asarray(array)
    if array.dtype.kind in "OS":
        return (name, datatypes.BYTES, array.shape, bytearray(datatypes.encode_bytes(array)))
    return (name, datatypes.CODE_OF_DTYPE[array.dtype], array.shape, bytearray(array.tobytes()))


def raw_request(key=1, inputs=None, outputs=("Y",), **fields):
    defaults = {
        "id": "",
        "parameters": "{}",
        "correlation_id": 0,
        "flags": 0,
        "timeout": 0,
        "trace_context": None,
    }
    defaults.update(fields)
    tensors = inputs if inputs is not None else {"X": np.arange(4, dtype=np.float32)}
    raws = tuple(raw_tensor(name, array) for name, array in tensors.items())
    return RawRequest(key=key, inputs=raws, requested_outputs=tuple(outputs), **defaults)


def host_of(
    tmp_path, source, decoupled=False, config=None, initialize=True, files=(), channel=None
):
    """A host of a model with this source; `pb_utils`, `np` are imported for it."""
    version = next(_versions)
    version_dir = tmp_path / "m" / str(version)
    version_dir.mkdir(parents=True)
    head = "import numpy as np\nimport triton_python_backend_utils as pb_utils\n"
    (version_dir / "model.py").write_text(head + textwrap.dedent(source), encoding="utf-8")
    for name, content in dict(files).items():
        (version_dir / name).write_text(textwrap.dedent(content), encoding="utf-8")
    channel = FakeChannel() if channel is None else channel
    setup = WorkerSetup(
        model_name="m",
        version=version,
        instance_name="m_0_0",
        model_dir=str(version_dir.parent),
        version_dir=str(version_dir),
        model_file=str(version_dir / "model.py"),
        is_backend_model=False,
        utils_dir=UTILS_DIR,
        decoupled=decoupled,
    )
    host = make_host(channel, setup)
    full = {"name": "m", **(config or {})}
    if decoupled:
        full["model_transaction_policy"] = {"decoupled": True}
    if initialize:
        host.initialize({"model_config": json.dumps(full), "model_instance_name": "m_0_0"})
    return host, channel


def values(response, name="Y", dtype=np.float32):
    """The elements of an output of a response that the channel kept."""
    outputs, error, _, _ = response
    assert error is None, error
    return next(np.frombuffer(data, dtype) for n, _, _, data in outputs if n == name)
