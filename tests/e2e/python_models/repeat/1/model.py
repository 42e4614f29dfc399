"""Decoupled: COUNT responses from a thread of its own, then the end; negative: an exception."""

import threading

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            count = int(pb_utils.get_input_tensor_by_name(request, "COUNT").as_numpy()[0])
            if count == -1:
                raise ValueError("negative")
            if count == -2:
                return 5
            sender = request.get_response_sender()
            if count == -3:
                sender.send(self.response(0))
                raise ValueError("after one")
            if count == -4:
                error = pb_utils.TritonError("told", pb_utils.TritonError.NOT_FOUND)
                sender.send(pb_utils.InferenceResponse([], error), 1)
                continue
            threading.Thread(target=self.answer, args=(sender, count)).start()
        return None

    def response(self, index):
        array = np.array([index], dtype=np.int32)
        return pb_utils.InferenceResponse([pb_utils.Tensor("INDEX", array)])

    def answer(self, sender, count):
        for index in range(count):
            sender.send(self.response(index))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
