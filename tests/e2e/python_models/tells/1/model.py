"""Tells, as JSON, what it was given: arguments of initialize, and all about the request."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.args = dict(args)
        self.config = json.loads(self.args.pop("model_config"))
        self.args.pop("model_repository")

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb_utils.get_input_tensor_by_name(request, "X")
        told = {
            "args": self.args,
            "config": {key: self.config[key] for key in ("max_batch_size", "input", "parameters")},
            "module": __name__,
            "id": request.request_id(),
            "correlation": request.correlation_id(),
            "flags": request.flags(),
            "timeout": request.timeout(),
            "parameters": json.loads(request.parameters()),
            "outputs": sorted(request.requested_output_names()),
            "shape": x.shape(),
            "writeable": bool(x.as_numpy().flags.writeable),
            "cancelled": request.is_cancelled(),
        }
        text = np.array([[json.dumps(told).encode()]], dtype=np.object_)
        return pb_utils.InferenceResponse([pb_utils.Tensor("TEXT", text)])
