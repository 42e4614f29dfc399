"""Mode POLL: changes are taken when they are still, and nothing is lost by accident."""

from __future__ import annotations

import shutil

from e2e.harness import wait_until
from reload.repository import CONFIG, Clients

POLL = ("--model-control-mode", "poll", "--repository-poll-secs", "1")
QUICK = (*POLL, "--repository-settle-secs", "0.1")
FLIPS = 10


def test_version_flips_lose_no_request(repository, serve):
    repository.write_model("m", content="1", version=1)
    server = serve(*QUICK)
    clients = Clients(server.http, 16, "1")
    try:
        for version in range(2, FLIPS + 2):
            clients.serving(str(version))
            repository.add_version("m", version, str(version))
            server.wait_content("m", str(version))
            clients.settled(str(version))
            repository.remove_version("m", version - 1)
            clients.wait_answers(16)
    finally:
        clients.stop()
    assert not clients.wrong, clients.wrong[:5]


def test_models_come_and_go(repository, serve):
    server = serve(*QUICK)
    repository.write_model("m", content="here")
    server.wait_content("m", "here")
    shutil.rmtree(repository.path / "m")
    wait_until(lambda: server.ask()[0] == 404, "the model to go")
    wait_until(lambda: not server.index(), "the index to be empty")
    status, text = server.load("m")
    assert status == 503
    assert b"explicit model load / unload is not allowed if polling is enabled" in text


def test_a_half_written_copy_is_never_served(repository, serve):
    repository.write_model("m", content="whole")
    server = serve(*POLL, "--repository-settle-secs", "1")
    clients = Clients(server.http, 4, "whole")
    content = repository.path / "m" / "1" / "content.txt"
    try:
        clients.serving("done")
        # Each write comes within the window of the one before: the last one counts.
        for part in range(20):
            content.write_text(f"part {part}")
            clients.wait_answers(20)
        content.write_text("done")
        server.wait_content("m", "done")
    finally:
        clients.stop()
    assert not clients.wrong, clients.wrong[:5]


def test_broken_content_keeps_the_old_one_and_is_mended(repository, serve):
    repository.write_model("m", content="good")
    server = serve(*QUICK)
    repository.write_config("m", CONFIG.format(more="no_such_field: 1"))
    wait_until(lambda: "problem" in server.index()[("m", "1")], "the problem to show")
    assert "no_such_field" in server.index()[("m", "1")]["problem"]
    assert server.ask() == (200, "good")
    assert server.get("/v2/health/ready")[0] == 200
    repository.write_config("m", CONFIG.format(more=""))
    repository.write_content("m", "mended")
    server.wait_content("m", "mended")
    wait_until(lambda: "problem" not in server.index()[("m", "1")], "the problem to go")


def test_an_unreadable_repository_freezes(repository, serve):
    repository.write_model("m", content="good")
    server = serve(*QUICK)
    away = repository.path.rename(repository.path.parent / "away")
    server.wait_metric("pytriton_repositories_frozen", 1)
    assert "is frozen" in server.index()[("m", "1")]["problem"]
    assert server.ask() == (200, "good")
    away.rename(repository.path)
    server.wait_metric("pytriton_repositories_frozen", 0)
    assert "problem" not in server.index()[("m", "1")]
    assert server.ask() == (200, "good")
    server.wait_metric("pytriton_model_loads", 1)


def test_what_does_not_count_reloads_nothing(repository, serve):
    repository.write_model("m", content="1")
    server = serve(*QUICK)
    version = repository.path / "m" / "1"
    (version / "__pycache__").mkdir()
    (version / "__pycache__" / "model.cpython-311.pyc").write_text("x")
    (version / ".content.txt.swp").write_text("x")
    (repository.path / "m" / "2_tmp").mkdir()
    (repository.path / "m" / "20261123000000000000").mkdir()
    (repository.path / "dangling").symlink_to("nowhere")
    # A model that comes afterwards is proof that the poller has looked.
    repository.write_model("later", content="2")
    server.wait_content("later", "2")
    server.wait_metric("pytriton_model_loads", 2)
    assert server.ask() == (200, "1")
