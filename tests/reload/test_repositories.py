"""Several repositories, and models of one name in two of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from e2e.harness import wait_until
from reload.repository import Repository, RepositoryServer

QUICK = ("--model-control-mode", "poll", "--repository-poll-secs", "1")
QUICK = (*QUICK, "--repository-settle-secs", "0.1")
EXPLICIT = ("--model-control-mode", "explicit")
TWICE = "model appears in two or more repositories"


@pytest.fixture
def other(tmp_path: Path) -> Repository:
    """A second repository; m is in both."""
    other = Repository(tmp_path / "others")
    other.write_model("m", content="other")
    other.write_model("alone", content="alone")
    return other


def second(other: Repository) -> tuple[str, str]:
    return ("--model-repository", str(other.path))


def test_a_name_twice_is_an_error_of_that_model_only(repository, other, tmp_path):
    repository.write_model("m", content="first")
    repository.write_model("n", content="n")
    server = RepositoryServer(tmp_path, repository, *second(other), "--exit-on-error=false")
    try:
        wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
        server.wait_content("n", "n")
        server.wait_content("alone", "alone")
        row = wait_until(lambda: server.index().get(("m", "")), "the double model to be listed")
        assert row["state"] == "UNAVAILABLE"
        assert row["reason"] == TWICE
        assert server.ask("m")[0] == 404
        assert server.get("/v2/health/ready")[0] == 400
    finally:
        assert server.stop() == 0
    server = RepositoryServer(tmp_path, repository, *second(other))
    assert server.process.wait(timeout=60) == 1
    assert "failed to load all models" in server.log


def test_a_name_that_becomes_double_serves_on(repository, other, serve):
    repository.write_model("n", content="n")
    server = serve(*QUICK, *second(other))
    assert server.ask("m") == (200, "other")
    repository.write_model("m", content="first")
    wait_until(lambda: TWICE in server.index()[("m", "1")].get("problem", ""), "the problem")
    assert server.ask("m") == (200, "other")
    shutil.rmtree(other.path / "m")
    server.wait_content("m", "first")
    wait_until(lambda: "problem" not in server.index()[("m", "1")], "the problem to go")
    assert server.get("/v2/health/ready")[0] == 200


def test_namespaces_keep_them_apart(repository, other, serve):
    repository.write_model("m", content="first")
    server = serve(*EXPLICIT, *second(other), "--model-namespacing=true", "--load-model=*")
    status, text = server.call("POST", "/v2/repository/index", b"")
    names = [(row["name"], row["version"], row["state"]) for row in json.loads(text)]
    assert names == [("alone", "1", "READY"), ("m", "1", "READY"), ("m", "1", "READY")]
    assert server.ask("alone") == (200, "alone")
    ambiguous = "There are 2 identifiers of model 'm' in global map"
    status, text = server.ask("m")
    assert (status, ambiguous in text) == (400, True)
    metrics = server.get("/metrics", port=server.metrics)[1].decode()
    for repo in (repository, other):
        labels = f'model="m",namespace="{repo.path}",version="1"'
        assert f"nv_inference_count{{{labels}}} 0" in metrics

    # A name means all models of it, for want of a field that says more.
    assert server.unload("m")[0] == 200
    assert server.ask("m")[0] == 404
    assert server.load("m")[0] == 200
    assert ambiguous in server.ask("m")[1]
    shutil.rmtree(repository.path / "m")
    assert server.unload("m")[0] == 200
    assert server.load("m")[0] == 200
    assert server.ask("m") == (200, "other")
    status, text = server.load("nowhere")
    assert (status, b"not found in any model repository" in text) == (500, True)


def test_namespaces_are_polled_apart(repository, other, serve):
    repository.write_model("m", content="first")
    server = serve(*QUICK, *second(other), "--model-namespacing=true")
    assert server.ask("m")[0] == 400
    shutil.rmtree(other.path / "m")
    server.wait_content("m", "first")
    other.write_model("m", content="other")
    wait_until(lambda: server.ask("m")[0] == 400, "the name to be ambiguous")
    shutil.rmtree(repository.path / "m")
    server.wait_content("m", "other")


def test_doubles_are_told_before_anybody_loads_them(repository, other, serve):
    repository.write_model("m", content="first")
    server = serve(*EXPLICIT, *second(other))
    row = {"name": "m", "state": "UNAVAILABLE", "reason": TWICE}
    assert server.index() == {("alone", ""): {"name": "alone"}, ("m", ""): row}
    assert server.load("m")[0] == 500
    assert server.index()[("m", "")] == row
    shutil.rmtree(repository.path / "m")
    assert server.index()[("m", "")] == {"name": "m"}
    assert server.load("m")[0] == 200
    assert server.ask("m") == (200, "other")
