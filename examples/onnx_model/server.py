"""An ONNX model with onnxruntime, one session an instance.

The model is made here, so that the example needs no download: a least-squares fit, as two nodes.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton

Features = Annotated[np.ndarray, Tensor(shape=(3,), dtype="float32")]
Value = Annotated[np.ndarray, Tensor(shape=(1,), dtype="float32")]


def make_model() -> bytes:
    """Y = x w + b for data that follow y = x1 + 2 x2 - x3 + 0.5."""
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = x @ [1, 2, -1] + 0.5
    fit = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0].astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"]),
            helper.make_node("Add", ["xw", "b"], ["y"]),
        ],
        "least_squares",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [
            numpy_helper.from_array(fit[:3, None], "w"),
            numpy_helper.from_array(fit[3:], "b"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Instance:
    """A session of its own for each instance."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    @batch
    def __call__(self, x: Features) -> Value:
        return self.session.run(["y"], {"x": x})


if __name__ == "__main__":
    model = make_model()
    triton = Triton()
    triton.bind(
        "least_squares",
        [Instance(model), Instance(model)],
        config=ModelConfig(max_batch_size=64),
    )
    triton.serve()
