"""One side of bench/clients.py: calls a model with whatever `pytriton.client` its interpreter has.

Reads commands as JSON lines (url, elements, calls, kind), answers each with a JSON line.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")
WARM_UP = 20
TASKS = 64


def measure_sync(url: str, elements: int, calls: int) -> dict[str, float]:
    from pytriton.client import ModelClient

    array = np.random.rand(elements).astype(np.float32)
    with ModelClient(url, "identity") as client:
        for _ in range(WARM_UP):
            assert (client.infer_sample(array)["y"] == array).all()
        times = []
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(calls):
            begin = time.perf_counter()
            client.infer_sample(array)
            times.append(time.perf_counter() - begin)
        end = time.perf_counter()
        return {
            "rate": calls / (end - start),
            "latency_us": statistics.median(times) * 1e6,
            "cpu_us": (time.process_time() - cpu) / calls * 1e6,
        }


def measure_asyncio(url: str, elements: int, calls: int) -> dict[str, float]:
    from pytriton.client import AsyncioModelClient

    array = np.random.rand(elements).astype(np.float32)

    async def main() -> dict[str, float]:
        async with AsyncioModelClient(url, "identity") as client:
            times: list[float] = []

            async def work(count: int) -> None:
                for _ in range(count):
                    begin = time.perf_counter()
                    await client.infer_sample(array)
                    times.append(time.perf_counter() - begin)

            await work(1)
            await asyncio.gather(*[work(2) for _ in range(TASKS)])
            times.clear()
            cpu, start = time.process_time(), time.perf_counter()
            await asyncio.gather(*[work(calls // TASKS) for _ in range(TASKS)])
            seconds = time.perf_counter() - start
            return {
                "rate": len(times) / seconds,
                "latency_us": statistics.median(times) * 1e6,
                "cpu_us": (time.process_time() - cpu) / len(times) * 1e6,
            }

    return asyncio.run(main())


def main() -> None:
    kinds: dict[str, Any] = {"sync": measure_sync, "asyncio": measure_asyncio}
    for line in sys.stdin:
        command = json.loads(line)
        result = kinds[command.pop("kind")](**command)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
