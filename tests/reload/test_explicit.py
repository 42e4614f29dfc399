"""Mode EXPLICIT under load: reloads, failures, slow and identical loads."""

from __future__ import annotations

import threading

from e2e.harness import wait_until
from reload.repository import CONFIG, Clients

EXPLICIT = ("--model-control-mode", "explicit")
RELOADS = 20
FAILURES = 5


def test_reloads_and_failures_lose_no_request(repository, serve):
    repository.write_model("m", content="0")
    server = serve(*EXPLICIT, "--load-model", "m")
    clients = Clients(server.http, 16, "0")
    try:
        for number in range(1, RELOADS + 1):
            clients.serving(str(number))
            repository.write_content("m", str(number))
            assert server.load("m")[0] == 200
            clients.settled(str(number))
            clients.wait_answers(16)
            if number % (RELOADS // FAILURES) == 0:
                repository.write_config("m", CONFIG.format(more="no_such_field: 1"))
                status, text = server.load("m")
                assert status == 500
                assert b"failed to load 'm', failed to poll from model repository" in text
                row = server.index()[("m", "1")]
                assert row["state"] == "READY"
                assert "no_such_field" in row["problem"]
                repository.write_config("m", CONFIG.format(more=""))
        clients.wait_answers(32)
    finally:
        clients.stop()
    assert not clients.wrong, clients.wrong[:5]
    assert server.get("/v2/health/ready")[0] == 200


def test_a_slow_load_delays_no_other_model(repository, serve):
    slow = 'parameters { key: "load_delay_ms" value { string_value: "60000" } }'
    repository.write_model("slow", more=slow.replace("60000", "3000"))
    repository.write_model("m", content="1")
    server = serve(*EXPLICIT)
    ended = threading.Event()

    def load_slow() -> None:
        server.load("slow")
        ended.set()

    thread = threading.Thread(target=load_slow)
    thread.start()
    wait_until(lambda: server.index().get(("slow", "1"), {}).get("state") == "LOADING", "LOADING")
    assert server.load("m")[0] == 200
    assert server.ask() == (200, "1")
    assert server.unload("m")[0] == 200
    assert not ended.is_set(), "the slow load was over first"
    assert server.get("/v2/health/ready")[0] == 200, "readiness does not flap during a load"
    thread.join()


def test_identical_loads_are_one(repository, serve):
    slow = 'parameters { key: "load_delay_ms" value { string_value: "500" } }'
    repository.write_model("m", more=slow)
    server = serve(*EXPLICIT)
    threads = [threading.Thread(target=server.load, args=("m",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.ask()[0] == 200
    server.wait_metric("pytriton_model_loads", 1)


def test_a_failed_model_is_cleared_by_unload(repository, serve):
    repository.write_model("m", more='parameters { key: "fail_load" value { string_value: "no" } }')
    server = serve(*EXPLICIT)
    status, text = server.load("m")
    assert status == 400
    assert b"load failed for model 'm': version 1 is at UNAVAILABLE state: Internal: no;" in text
    assert server.index()[("m", "1")]["reason"] == "Internal: no"
    assert server.get("/v2/health/ready")[0] == 400
    assert server.unload("m")[0] == 200
    assert server.get("/v2/health/ready")[0] == 200


def test_overrides_and_the_way_back(repository, serve, tmp_path):
    repository.write_model("m", content="disk")
    server = serve(*EXPLICIT)
    config = '{"backend":"identity","max_batch_size":4,'
    config += '"input":[{"name":"x","data_type":"TYPE_FP32","dims":[4]}],'
    config += '"output":[{"name":"y","data_type":"TYPE_FP32","dims":[4]}]}'
    parameters = {"config": config, "file:1/content.txt": "dXBsb2FkZWQ="}
    assert server.load("m", **parameters)[0] == 200
    assert server.ask() == (200, "uploaded")
    assert server.load("m")[0] == 200
    assert server.ask() == (200, "disk")
    for path in ("file:../../out", "file:..", "file:1/../../out"):
        status, text = server.load("m", **{"config": config, path: "eA=="})
        assert status == 400
        assert b"must stay within model directory" in text
    assert not list(tmp_path.rglob("out"))
    assert server.load("m", **{"config": config, "file:1/x": "e!=="})[0] == 400
    assert server.load("m", **{"file:1/x": "eA=="})[0] == 500
    assert server.ask() == (200, "disk")


def test_edits_never_reach_what_is_loaded(repository, serve):
    repository.write_model("m", content="old")
    server = serve(*EXPLICIT, "--load-model", "*")
    (repository.path / "m" / "1" / "content.txt").write_text("edited in place")
    assert server.ask() == (200, "old")
    repository.remove_version("m", 1)
    assert server.ask() == (200, "old")
    assert server.load("m")[0] == 400
    assert server.ask() == (200, "old")
