"""Serves AddSub with mosec: a POST of the bytes of both inputs is answered by both outputs'.

mosec knows no tensors, so that it parses less than the others; its batches wait at most 1 ms, its
least, for more requests. Options are mosec's: --port, --address.
"""

from __future__ import annotations

import numpy as np
from mosec import Server, Worker

MAX_BATCH_SIZE = 128
MAX_WAIT_MS = 1


class AddSub(Worker):
    """Adds and subtracts batches of requests."""

    def deserialize(self, data: bytes) -> np.ndarray:
        """The two inputs as one float32 array of shape [2, elements]."""
        return np.frombuffer(data, dtype=np.float32).reshape(2, -1)

    def serialize(self, data: np.ndarray) -> bytes:
        """The bytes of both outputs, float32 of shape [2, elements]."""
        return data.tobytes()

    def forward(self, data: list[np.ndarray]) -> list[np.ndarray]:
        """One [2, elements] array for each request of the batch; all have the same size."""
        pairs = np.stack(data)
        results = np.empty_like(pairs)
        np.add(pairs[:, 0], pairs[:, 1], out=results[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=results[:, 1])
        return list(results)


if __name__ == "__main__":
    server = Server()
    server.append_worker(AddSub, num=1, max_batch_size=MAX_BATCH_SIZE, max_wait_time=MAX_WAIT_MS)
    server.run()
