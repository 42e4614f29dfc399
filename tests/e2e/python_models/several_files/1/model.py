"""Imports its neighbours in both ways."""

import shift
import triton_python_backend_utils as pb_utils

from . import scale


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("Y", shift.by_one(scale.by_two(r.inputs()[0].as_numpy())))]
            )
            for r in requests
        ]
