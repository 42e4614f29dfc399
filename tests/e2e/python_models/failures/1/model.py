"""Fails in every way that the rules name; the input says which."""

import sys

import numpy as np
import triton_python_backend_utils as pb_utils


def helper():
    raise KeyError("deep")


class TritonPythonModel:
    def execute(self, requests):
        what = requests[0].inputs()[0].as_numpy()[0].decode()
        good = pb_utils.InferenceResponse([pb_utils.Tensor("Y", np.zeros(1, np.float32))])
        if what == "dict":
            return {}
        if what == "tuple":
            return (good,)
        if what == "count":
            return [good, good]
        if what == "element":
            return [5]
        if what == "raise":
            raise ValueError("boom é")
        if what == "empty":
            raise ValueError
        if what == "deep":
            helper()
        if what == "exit":
            sys.exit(3)
        if what == "model_exception":
            raise pb_utils.TritonModelException("tme text")
        if what == "tensor":
            pb_utils.Tensor("", np.zeros(1))
        if what == "dtype":
            pb_utils.Tensor("Y", np.zeros(1, np.complex64))
        if what == "generator":
            return (i for i in range(2))
        if what == "sender_twice":
            sender = requests[0].get_response_sender()
            sender.send(good)
            sender.send(good)
        if what == "final_first":
            requests[0].get_response_sender().send(flags=1)
        if what == "sender_and_response":
            requests[0].get_response_sender().send(good, 1)
            return [good]
        if what == "sender":
            requests[0].get_response_sender().send(good, 1)
            return None
        if what == "unknown_output":
            return [pb_utils.InferenceResponse([pb_utils.Tensor("Z", np.zeros(1))])]
        if what == "wrong_dtype":
            return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", np.arange(2))])]
        if what == "nothing":
            return [pb_utils.InferenceResponse([])]
        if what.startswith("code "):
            code = getattr(pb_utils.TritonError, what[5:])
            error = pb_utils.TritonError("told " + what[5:], code)
            return [pb_utils.InferenceResponse([], error)]
        return [good]
