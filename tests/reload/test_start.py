"""Mode NONE, and what a start does about models that fail."""

from __future__ import annotations

import pytest

from e2e.harness import wait_until
from reload.repository import Repository, RepositoryServer


def test_a_failing_model_ends_the_start(repository, tmp_path):
    repository.write_model("good")
    repository.write_model("bad", more="no_such_field: 1")
    server = RepositoryServer(tmp_path, repository)
    assert server.process.wait(timeout=60) == 1
    assert "error: creating server: Internal - failed to load all models" in server.log
    assert "no_such_field" in server.log


def test_a_missing_repository_ends_the_start(tmp_path):
    repository = Repository(tmp_path / "models")
    repository.path.rmdir()
    server = RepositoryServer(tmp_path, repository)
    assert server.process.wait(timeout=60) == 1
    assert f"creating server: Internal - failed to stat file {repository.path}" in server.log


def test_a_repository_that_was_never_read_is_not_ready(repository, tmp_path):
    repository.write_model("m", content="1")
    aside = repository.path.rename(tmp_path / "aside")
    options = ("--exit-on-error=false", "--model-control-mode=poll", "--repository-poll-secs=1")
    server = RepositoryServer(tmp_path, repository, *options)
    try:
        wait_until(lambda: "failed to stat file" in server.log, "the start to be over")
        wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
        assert server.get("/v2/health/ready")[0] == 400
        aside.rename(repository.path)
        server.wait_content("m", "1")
        server.wait_ready()
    finally:
        assert server.stop() == 0


MODES = {
    "none": (),
    "explicit": ("--model-control-mode=explicit", "--load-model=*"),
    "poll": ("--model-control-mode=poll", "--repository-poll-secs=1"),
}


@pytest.mark.parametrize("mode", MODES)
def test_one_of_two_repositories_is_missing(repository, tmp_path, mode):
    repository.write_model("m", content="1")
    gone = Repository(tmp_path / "gone")
    gone.write_model("later", content="2")
    aside = gone.path.rename(tmp_path / "aside")
    options = ("--exit-on-error=false", "--model-repository", str(gone.path), *MODES[mode])
    server = RepositoryServer(tmp_path, repository, *options)
    try:
        wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
        server.wait_content("m", "1")
        assert server.get("/v2/models/m/ready")[0] == 200
        assert server.get("/v2/health/ready")[0] == 400  # what the other one has, nobody knows
        server.wait_metric("pytriton_repositories_frozen", 1)
        assert list(server.index()) == [("m", "1")]
        if mode == "explicit":
            assert server.unload("m")[0] == 200
            assert server.load("m") == (200, b"")
            status, text = server.load("later")
            assert status == 500
            assert f"failed to stat file {gone.path}".encode() in text
        aside.rename(gone.path)
        if mode == "explicit":
            assert server.load("later") == (200, b"")
        if mode != "none":
            server.wait_content("later", "2")
        if mode == "poll":
            server.wait_ready()
        assert server.ask() == (200, "1")
        wait_until(lambda: f"repository {gone.path} can't be read" in server.log, "the log")
    finally:
        assert server.stop() == 0


def test_without_exit_on_error_the_others_are_served(repository, tmp_path):
    repository.write_model("good", content="1")
    repository.write_model("bad", more="no_such_field: 1")
    server = RepositoryServer(tmp_path, repository, "--exit-on-error=false")
    try:
        wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
        server.wait_content("good", "1")
        row = wait_until(lambda: server.index().get(("bad", "")), "the bad model to be listed")
        assert row["state"] == "UNAVAILABLE"
        assert "no_such_field" in row["reason"]
        assert server.get("/v2/health/ready")[0] == 400
        assert list(server.index(ready=True)) == [("good", "1")]
    finally:
        assert server.stop() == 0


def test_it_lives_before_it_is_ready(repository, tmp_path):
    slow = 'parameters { key: "load_delay_ms" value { string_value: "2000" } }'
    repository.write_model("m", more=slow)
    server = RepositoryServer(tmp_path, repository)
    wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
    assert server.get("/v2/health/ready")[0] == 400
    assert server.get("/v2/models/m/ready")[0] == 400
    assert server.wait_ready().ask()[0] == 200
    assert server.stop() == 0


def test_an_app_and_a_repository_are_served_together(repository, tmp_path):
    repository.write_model("m", content="1")
    app = tmp_path / "app.py"
    app.write_text(
        "from pytriton.triton import Triton, TritonConfig, Tensor, ModelConfig\n"
        "from pytriton.decorators import batch\n"
        "import numpy as np\n"
        f"triton = Triton(config=TritonConfig(model_repository={str(repository.path)!r}))\n"
        "@batch\n"
        "def double(x):\n"
        "    return {'y': x * 2}\n"
        "triton.bind('double', double, [Tensor(name='x', dtype=np.float32, shape=(1,))],\n"
        "            [Tensor(name='y', dtype=np.float32, shape=(1,))])\n"
    )
    server = RepositoryServer(tmp_path, repository, str(app))
    try:
        server.wait_ready()
        assert server.ask() == (200, "1")
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [2]}
        assert server.infer("double", tensor)[1]["outputs"][0]["data"] == [4]
    finally:
        assert server.stop() == 0


def test_mode_none_ignores_changes_and_refuses_control(repository, serve):
    repository.write_model("m", content="1")
    server = serve()
    repository.write_content("m", "2")
    for status, text in (server.load("m"), server.unload("m")):
        assert status == 503
        assert b"explicit model load / unload is not allowed" in text
    assert server.ask() == (200, "1")


def test_bad_combinations_of_options_say_so(repository, tmp_path):
    repository.write_model("m")
    for options, text in (
        (("--load-model", "m"), "requires setting '--model-control-mode=explicit'"),
        (
            ("--model-control-mode=explicit", "--load-model=*", "--load-model=m"),
            "must be the ONLY startup model",
        ),
    ):
        server = RepositoryServer(tmp_path, repository, *options)
        assert server.process.wait(timeout=60) == 1
        assert text in server.log
