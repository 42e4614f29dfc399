"""Decoupled with coroutines: the last response comes together with the end."""

import asyncio

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    async def execute(self, requests):
        await asyncio.gather(*(self.answer(request) for request in requests))

    async def answer(self, request):
        sender = request.get_response_sender()
        count = int(request.inputs()[0].as_numpy()[0])
        for index in range(count):
            await asyncio.sleep(0.001)
            tensor = pb_utils.Tensor("INDEX", np.array([index], np.int32))
            flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if index == count - 1 else 0
            sender.send(pb_utils.InferenceResponse([tensor]), flags)
