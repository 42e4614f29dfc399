"""A server in this process and clients of it."""

from __future__ import annotations

import tritonclient.grpc
import tritonclient.http

from pytriton.triton import Triton

ANY_PORTS = {
    "http_address": "127.0.0.1",
    "grpc_address": "127.0.0.1",
    "http_port": 0,
    "grpc_port": 0,
    "metrics_address": "127.0.0.1",
    "metrics_port": 0,
}


class Running:
    """A server with clients.

    Attributes:
        triton: The server.
        http: A client.
        grpc: A client.
    """

    def __init__(self, triton: Triton) -> None:
        self.triton = triton
        self.http = tritonclient.http.InferenceServerClient(f"127.0.0.1:{triton.http_port}")
        self.grpc = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{triton.grpc_port}")

    def close(self) -> None:
        self.http.close()
        self.grpc.close()

    def infer(self, protocol: str, arrays, model="M", outputs=None, **kwargs):
        """Sends arrays by name; gives arrays by name."""
        module = getattr(tritonclient, protocol)
        inputs = []
        for name, array in arrays.items():
            datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
            made = module.InferInput(name, list(array.shape), datatype)
            made.set_data_from_numpy(array)
            inputs.append(made)
        wanted = outputs and [module.InferRequestedOutput(name) for name in outputs]
        client = getattr(self, protocol)
        result = client.infer(model, inputs, outputs=wanted, **kwargs)
        response = result.get_response()
        if protocol == "grpc":
            names = [output.name for output in response.outputs]
        else:
            names = [output["name"] for output in response.get("outputs", [])]
        return {name: result.as_numpy(name) for name in names}
