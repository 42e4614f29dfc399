"""Limitations that PyTriton documents, each ended, where no other file of this folder is about one.

The others: several scripts on one machine in test_cohabitation.py, NCCL's deadlocks in
test_exclusive_group.py, clients' time-outs in test_client_deadlines.py, gevent's warnings in
test_client_threads.py.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from python.running import ANY_PORTS
from pytriton.client import ModelClient
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

ROW = np.ones((1, 4), np.float32)
X = [Tensor((4,), np.float32, "x")]
Y = [Tensor((4,), np.float32, "y")]

IDENTITY = """
backend: "identity"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "x" data_type: TYPE_FP32 dims: 4 }
"""


@batch
def double(x):
    return {"y": x * 2}


def test_a_user_model_store_and_bound_callables_in_one_server(tmp_path):
    """Documented limitation: "no one-to-one match with Triton's features, a user model store"."""
    (tmp_path / "stored" / "1").mkdir(parents=True)
    (tmp_path / "stored" / "config.pbtxt").write_text(IDENTITY)
    with Triton(config=TritonConfig(**ANY_PORTS, model_repository=tmp_path)) as triton:
        triton.bind("bound", double, X, Y, config=ModelConfig(max_batch_size=8))
        url = f"http://127.0.0.1:{triton.http_port}"
        with ModelClient(url, "stored") as stored, ModelClient(url, "bound") as bound:
            assert stored.infer_batch(ROW)["x"].tolist() == ROW.tolist()
            assert bound.infer_batch(ROW)["y"].tolist() == (2 * ROW).tolist()


VERBOSE = """
import sys
import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig

@batch
def double(x):
    return {"y": x * 2}

config = TritonConfig(
    http_address="127.0.0.1", http_port=0, grpc_port=0, allow_metrics=False, log_verbose=4
)
with Triton(config=config) as triton:
    x, y = (Tensor((4,), np.float32, name) for name in "xy")
    triton.bind("M", double, [x], [y])
    print(triton.http_port, flush=True)
    sys.stdin.read()
"""
# Enough lines of level 4 to fill a pipe (64 KiB) many times over, of 10,000 a second at most.
REQUESTS = 20_000


def test_verbose_logging_that_nobody_reads_does_not_hold_up_inference():
    """Documented limitation: "verbose logging may slow inference severely"."""
    with subprocess.Popen(
        [sys.executable, "-c", VERBOSE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            port = int(process.stdout.readline())
            with ModelClient(f"http://127.0.0.1:{port}", "M", inference_timeout_s=30) as client:
                for _ in range(REQUESTS):
                    assert client.infer_batch(ROW)["y"].tolist() == (2 * ROW).tolist()
            log = process.communicate("", timeout=60)[1]
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0
    assert len(log) > 100_000
