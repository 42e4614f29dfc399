"""Business logic: asks `completed` twice at once and `repeat`, adds what they say."""

import asyncio

import numpy as np
import triton_python_backend_utils as pb_utils


def ask(x):
    tensor = pb_utils.Tensor("X", x.reshape(1, -1))
    return pb_utils.InferenceRequest(
        model_name="completed", requested_output_names=["Y"], inputs=[tensor]
    )


class TritonPythonModel:
    async def execute(self, requests):
        return [await self.answer(request) for request in requests]

    async def answer(self, request):
        x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
        answers = await asyncio.gather(ask(x).async_exec(), ask(x * 10).async_exec())
        total = sum(a.output_tensors()[0].as_numpy() for a in answers).ravel()
        count = pb_utils.Tensor("COUNT", np.array([3], np.int32))
        stream = pb_utils.InferenceRequest(
            model_name="repeat", requested_output_names=["INDEX"], inputs=[count]
        ).exec(decoupled=True)
        for response in stream:
            for tensor in response.output_tensors():
                total = total + tensor.as_numpy()[0]
        return pb_utils.InferenceResponse([pb_utils.Tensor("Y", total.astype(np.float32))])
