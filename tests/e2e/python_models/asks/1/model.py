"""Asks other models what the input says (JSON); tells the error or the outputs as text."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        asked = json.loads(request.inputs()[0].as_numpy()[0])
        try:
            text = self.ask(asked)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        answer = np.array([text.encode()], dtype=np.object_)
        return pb_utils.InferenceResponse([pb_utils.Tensor("ANSWER", answer)])

    def ask(self, asked):
        if "ready" in asked:
            return str(pb_utils.is_model_ready(asked["ready"], asked.get("version", "")))
        inputs = []
        for name, (values, dtype) in asked["inputs"].items():
            if dtype == "object":
                values = [value.encode() for value in values]
            inputs.append(pb_utils.Tensor(name, np.array(values, dtype=dtype)))
        response = pb_utils.InferenceRequest(
            model_name=asked["model"],
            requested_output_names=asked.get("outputs", []),
            inputs=inputs,
            model_version=asked.get("version", -1),
        ).exec()
        if response.has_error():
            return "error: " + response.error().message()
        return json.dumps([[t.name(), t.as_numpy().tolist()] for t in response.output_tensors()])
