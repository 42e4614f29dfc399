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


def label_of(server, name: str = "m") -> str:
    """The label of the largest value that comes back."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    output = {"name": "y", "parameters": {"classification": 1}}
    status, answer = server.infer(name, tensor, outputs=[output])
    assert status == 200, answer
    return answer["outputs"][0]["data"][0]


def test_labels_are_added_changed_and_removed(repository, serve):
    repository.write_model("m", content="1")
    server = serve(*QUICK)
    assert label_of(server) == "4.000000:3"
    labels = repository.path / "m" / "labels.txt"

    def write_labels(word: str) -> None:
        staged = repository.path.parent / "labels"
        staged.write_text("".join(f"{word}{number}\n" for number in range(4)))
        staged.rename(labels)

    write_labels("old")
    with_labels = CONFIG.replace(
        "dims: [ 4 ] }}\n{more}", 'dims: [ 4 ] label_filename: "labels.txt" }}'
    )
    repository.write_config("m", with_labels.format())
    wait_until(lambda: label_of(server) == "4.000000:3:old3", "the labels to be read")
    write_labels("new")
    wait_until(lambda: label_of(server) == "4.000000:3:new3", "the new labels to be read")
    labels.unlink()
    wait_until(lambda: "problem" in server.index()[("m", "1")], "the missing file to be told")
    assert "failed to stat file" in server.index()[("m", "1")]["problem"] or (
        "labels.txt" in server.index()[("m", "1")]["problem"]
    )
    assert label_of(server) == "4.000000:3:new3"
    repository.write_config("m", CONFIG.format(more=""))
    wait_until(lambda: label_of(server) == "4.000000:3", "the labels to go")
    wait_until(lambda: "problem" not in server.index()[("m", "1")], "the problem to go")


def test_a_copy_file_by_file_is_served_when_it_is_whole(repository, serve):
    repository.write_model("pace")
    server = serve(*POLL, "--repository-settle-secs", "2")
    folder = repository.path / "m"
    seen = set()

    def step() -> None:
        # The next file comes while the poller looks, well within its window.
        for _ in range(10):
            assert server.ask("pace")[0] == 200
            seen.add(server.ask("m"))

    folder.mkdir()
    step()
    (folder / "1").mkdir()
    (folder / "1" / "content.txt").write_text("part")
    step()
    for part in range(6):
        (folder / "1" / f"weights-{part}").write_bytes(b"w" * 1000)
        step()
    (folder / "config.pbtxt").write_text(CONFIG.format(more="no_such_field: 1"))
    step()
    (folder / "config.pbtxt").write_text(CONFIG.format(more=""))
    step()
    (folder / "1" / "content.txt").write_text("whole")
    server.wait_content("m", "whole")
    assert seen == {(404, "Request for unknown model: 'm' is not found")}
    server.wait_metric("pytriton_model_load_failures", 0)


def test_version_flips_do_not_fill_the_index(repository, serve):
    repository.write_model("m", content="1", version=1)
    server = serve(*POLL, "--repository-settle-secs", "0.01")
    for version in range(2, 38):
        repository.add_version("m", version, str(version))
        repository.remove_version("m", version - 1)
        server.wait_content("m", str(version))
    wait_until(lambda: len(server.index()) <= 33, "the oldest rows to go")
    rows = server.index()
    assert rows[("m", "37")]["state"] == "READY"
    assert rows[("m", "36")]["reason"] == "unloaded"
    assert ("m", "1") not in rows
