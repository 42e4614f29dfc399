"""Random registrations, inferences, truncations and crashes against a simple model of the table."""

from __future__ import annotations

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

PAGE = 4096
NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.integers(0, 1)
SIZES = st.sampled_from([0, 1, 64, PAGE - 1, PAGE, 2 * PAGE, 2**62, 2**63 - 1, 2**64 - 1])
PLACES = st.sampled_from([0, 4, 60, PAGE - 4, PAGE, 2 * PAGE - 8, 2**63, 2**64 - 1])


class Table(RuleBasedStateMachine):
    """The server's table beside a dict. Two objects of two pages; regions lie anywhere in them."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.keys = [f"test_{uuid.uuid4().hex}" for _ in range(2)]
        self.files = [
            os.open(f"/dev/shm/{key}", os.O_RDWR | os.O_CREAT, 0o600) for key in self.keys
        ]
        self.sizes = [2 * PAGE, 2 * PAGE]
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

    @rule(name=NAMES)
    def unregister(self, name: str) -> None:
        assert self.call(f"/v2/systemsharedmemory/region/{name}/unregister", {})[0] == 200
        self.regions.pop(name, None)

    @rule()
    def unregister_all(self) -> None:
        assert self.call("/v2/systemsharedmemory/unregister", {})[0] == 200
        self.regions.clear()

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
            self.regions[name][1] + at + size <= self.sizes[self.regions[name][0]]
            for name, at in ((source, offset), (goal, place))
        )
        if is_there:
            which, begin, _ = self.regions[source]
            os.pwrite(self.files[which], values.tobytes(), begin + offset)
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
            which, begin, _ = self.regions[goal]
            found = np.frombuffer(os.pread(self.files[which], size, begin + place), np.float32)
            np.testing.assert_array_equal(found, values * 2)

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
            name: (self.keys[at], offset, size) for name, (at, offset, size) in self.regions.items()
        }
        assert [row["name"] for row in rows] == sorted(found)

    def teardown(self) -> None:
        self.unregister_all()
        self.connection.close()
        for key, file in zip(self.keys, self.files):
            os.close(file)
            os.unlink(f"/dev/shm/{key}")


def test_the_region_table_is_as_its_model(start):
    server = start("memory.py")
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
    assert server.stop() == 0, server.log
