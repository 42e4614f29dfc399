"""Random registrations, inferences, truncations and crashes against a simple model of the table.

Regions are of the host and of devices, which a fake driver stands for.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import uuid
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from e2e.harness import Server
from pytriton.shared_memory import CudaRegion

PAGE = 4096
NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.integers(0, 1)
DEVICES = st.integers(2, 3)  # objects 2 and 3 are device memory
KINDS = st.sampled_from(["system", "cuda"])
SIZES = st.sampled_from([0, 1, 64, PAGE - 1, PAGE, 2 * PAGE, 2**62, 2**63 - 1, 2**64 - 1])
PLACES = st.sampled_from([0, 4, 60, PAGE - 4, PAGE, 2 * PAGE - 8, 2**63, 2**64 - 1])


class Table(RuleBasedStateMachine):
    """The server's table beside a dict. Four objects of two pages, two of them on devices; regions
    lie anywhere in those of the host, and at the beginning of the others.
    """

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.keys = [f"test_{uuid.uuid4().hex}" for _ in range(2)]
        self.files = [
            os.open(f"/dev/shm/{key}", os.O_RDWR | os.O_CREAT, 0o600) for key in self.keys
        ]
        self.devices = [CudaRegion(2 * PAGE, device) for device in (0, 1)]
        self.sizes = [2 * PAGE] * 4
        self.regions: dict[str, tuple[int, int, int]] = {}  # name: object, offset, size
        self.suspect: set[str] = set()  # may be broken: the object was once too short for it
        for file in self.files:
            os.ftruncate(file, 2 * PAGE)
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.http, timeout=30)

    def call(self, path: str, body: Any = None) -> tuple[int, Any]:
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
        self.connection.request(method, path, data)
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    @rule(name=NAMES, at=KEYS, offset=PLACES, size=SIZES)
    def register(self, name: str, at: int, offset: int, size: int) -> None:
        body = {"key": self.keys[at], "offset": offset, "byte_size": size}
        status, _ = self.call(f"/v2/systemsharedmemory/region/{name}/register", body)
        is_inside = size > 0 and offset + size <= self.sizes[at]
        if name in self.regions or not is_inside:
            assert status == 400
            return
        assert status == 200
        self.regions[name] = (at, offset, size)
        self.suspect.discard(name)

    @rule(name=NAMES, at=DEVICES, size=SIZES, device=st.integers(-1, 2))
    def register_cuda(self, name: str, at: int, size: int, device: int) -> None:
        """A handle may be opened for any device; there are two."""
        handle = base64.b64encode(self.devices[at - 2].raw_handle).decode()
        body = {"raw_handle": {"b64": handle}, "device_id": device, "byte_size": size}
        status, _ = self.call(f"/v2/cudasharedmemory/region/{name}/register", body)
        if name in self.regions or not 0 < size <= 2 * PAGE or device not in (0, 1):
            assert status == 400
            return
        assert status == 200
        self.regions[name] = (at, device, size)
        self.suspect.discard(name)

    @rule(name=NAMES, kind=KINDS)
    def unregister(self, name: str, kind: str) -> None:
        """A name of the other kind stays."""
        assert self.call(f"/v2/{kind}sharedmemory/region/{name}/unregister", {})[0] == 200
        if name in self.regions and self.kind(name) == kind:
            del self.regions[name]

    @rule(kind=KINDS)
    def unregister_all(self, kind: str) -> None:
        assert self.call(f"/v2/{kind}sharedmemory/unregister", {})[0] == 200
        self.regions = {
            name: found for name, found in self.regions.items() if self.kind(name) != kind
        }

    def kind(self, name: str) -> str:
        return "system" if self.regions[name][0] < 2 else "cuda"

    def begin(self, name: str) -> int:
        """Where a region begins in its object; of a device's, the number there is the device."""
        return self.regions[name][1] if self.kind(name) == "system" else 0

    def put(self, name: str, offset: int, values: np.ndarray) -> None:
        at = self.regions[name][0]
        if at < 2:
            os.pwrite(self.files[at], values.tobytes(), self.begin(name) + offset)
        else:
            self.devices[at - 2].write(values, offset)

    def get(self, name: str, offset: int, count: int) -> np.ndarray:
        at = self.regions[name][0]
        if at >= 2:
            device = self.devices[at - 2]
            return device.read(device.reserve("FP32", [count], offset))
        data = os.pread(self.files[at], 4 * count, self.begin(name) + offset)
        return np.frombuffer(data, np.float32)

    @rule(at=KEYS, size=st.sampled_from([0, 64, PAGE, 2 * PAGE]))
    def resize(self, at: int, size: int) -> None:
        os.ftruncate(self.files[at], size)
        self.sizes[at] = size
        for name, (which, offset, length) in self.regions.items():
            if which == at and offset + length > size:
                self.suspect.add(name)

    @rule(source=NAMES, goal=NAMES, offset=PLACES, place=PLACES, count=st.sampled_from([1, 4, 64]))
    def infer(self, source: str, goal: str, offset: int, place: int, count: int) -> None:
        values = np.arange(1, count + 1, dtype=np.float32)
        size = 4 * count
        is_found = source in self.regions and goal in self.regions
        fits = all(
            at + size <= self.regions[name][2]
            for name, at in ((source, offset), (goal, place))
            if name in self.regions
        )
        is_inside = is_found and fits
        is_there = is_inside and all(
            self.begin(name) + at + size <= self.sizes[self.regions[name][0]]
            for name, at in ((source, offset), (goal, place))
        )
        if is_there:
            self.put(source, offset, values)
        given = {"shared_memory_region": source, "shared_memory_offset": offset}
        wanted = {"shared_memory_region": goal, "shared_memory_offset": place}
        tensor = {"name": "IN", "datatype": "FP32", "shape": [1, count]}
        tensor["parameters"] = {**given, "shared_memory_byte_size": size}
        output = {"name": "OUT", "parameters": {**wanted, "shared_memory_byte_size": size}}
        body = {"inputs": [tensor], "outputs": [output]}
        status, answer = self.call("/v2/models/double/infer", body)
        if not is_found:
            # Of two faults either may be told.
            assert status == 404 or (status == 400 and not fits), answer
        elif not is_there:
            assert status == 400, answer
        elif status != 200:
            assert {source, goal} & self.suspect, answer
        elif not {source, goal} & self.suspect:
            np.testing.assert_array_equal(self.get(goal, place, count), values * 2)

    @rule()
    def crash(self) -> None:
        """The client goes without a word, in the middle of a request."""
        self.connection.request("POST", "/v2/models/double/infer", "{")
        self.connection.close()
        self.connection = self.connect()

    @invariant()
    def lists_what_is_registered(self) -> None:
        status, rows = self.call("/v2/systemsharedmemory/status")
        assert status == 200
        found = {row["name"]: (row["key"], row["offset"], row["byte_size"]) for row in rows}
        assert found == {
            name: (self.keys[at], offset, size)
            for name, (at, offset, size) in self.regions.items()
            if at < 2
        }
        assert [row["name"] for row in rows] == sorted(found)
        status, rows = self.call("/v2/cudasharedmemory/status")
        assert status == 200
        assert [(row["name"], row["device_id"], row["byte_size"]) for row in rows] == sorted(
            (name, device, size) for name, (at, device, size) in self.regions.items() if at >= 2
        )

    def teardown(self) -> None:
        for kind in ("system", "cuda"):
            self.unregister_all(kind)
        for device in self.devices:
            device.close()
        self.connection.close()
        for key, file in zip(self.keys, self.files):
            os.close(file)
            os.unlink(f"/dev/shm/{key}")


def test_the_region_table_is_as_its_model(start, fake_cuda):
    fake_cuda.fail()
    server = start("memory.py", environment=fake_cuda.environment)
    model = type("TableOfServer", (Table,), {"server": server})
    run_state_machine_as_test(
        model,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    counts = fake_cuda.counts(server.process.pid)
    assert (counts["opened"], counts["events"]) == (0, 0)
    assert server.stop() == 0, server.log
