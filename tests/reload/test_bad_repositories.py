"""What operators and attackers put into repositories: told by name, and all else serves."""

from __future__ import annotations

import json
import os
from pathlib import Path

from reload.repository import CONFIG, Repository

EXPLICIT = ("--model-control-mode", "explicit")


def broken_models(repository: Repository) -> dict[str, str]:
    """Writes them; model -> what its load must say."""
    root = repository.path

    def model(name: str) -> Path:
        repository.write_model(name)
        return root / name

    reasons = {}
    (model("junk") / "config.pbtxt").write_bytes(bytes(range(256)) * 20)
    reasons["junk"] = "junk/config.pbtxt"
    (model("zeros") / "config.pbtxt").write_bytes(b"\0" * 4096)
    reasons["zeros"] = "zeros/config.pbtxt"
    (model("huge") / "config.pbtxt").write_bytes(b"#" * ((16 << 20) + 1))
    reasons["huge"] = "huge/config.pbtxt: expected at most"
    (model("folder") / "config.pbtxt").unlink()
    (root / "folder" / "config.pbtxt").mkdir()
    reasons["folder"] = "folder/config.pbtxt: Is a directory"
    (model("pipe") / "config.pbtxt").unlink()
    os.mkfifo(root / "pipe" / "config.pbtxt")
    reasons["pipe"] = "pipe/config.pbtxt: it is no regular file"
    (model("dangling") / "1" / "weights").symlink_to("/nowhere/at/all")
    reasons["dangling"] = "failed to stat file"
    (model("self") / "1" / "weights").symlink_to("weights")
    reasons["self"] = "Too many levels of symbolic links"
    (model("circle") / "1" / "again").symlink_to(root / "circle" / "1")
    reasons["circle"] = "links that lead in circles"
    (model("outside") / "config.pbtxt").write_text(
        CONFIG.format(more="")
        .replace("] }\noutput", "] }\noutput")
        .replace('name: "y"', 'name: "y" label_filename: "../../../etc/passwd"')
    )
    reasons["outside"] = "is outside model directory"
    (root / "empty").mkdir()
    reasons["empty"] = "Could not determine backend for model 'empty'"
    (root / "versionless").mkdir()
    (root / "versionless" / "config.pbtxt").write_text(CONFIG.format(more=""))
    reasons["versionless"] = "at least one version must be available"
    (root / "gpu").mkdir()
    gpu = "instance_group { kind: KIND_GPU }"
    (root / "gpu" / "config.pbtxt").write_text(CONFIG.format(more=gpu))
    (root / "gpu" / "1").mkdir()
    reasons["gpu"] = "has kind KIND_GPU but no GPUs are available: use KIND_CPU or KIND_AUTO"
    (model("elsewhere") / "config.pbtxt").write_text('backend: "../elsewhere"')
    reasons["elsewhere"] = "backend name '../elsewhere' escapes the directory of backends"
    if os.geteuid() != 0:  # nothing is unreadable for root
        (model("secret") / "config.pbtxt").chmod(0)
        reasons["secret"] = "Permission denied"
    return reasons


def test_broken_models_are_told_and_the_others_serve(repository, serve):
    repository.write_model("good", content="good")
    version = repository.path / "good" / "1"
    for name in ("20261123000000000000", "1_tmp", "-1", "+3", "01", "2.bak", "x" * 200):
        (repository.path / "good" / name).mkdir()
    for number in range(1500):
        (version / f"{number}").write_text("")
    reasons = broken_models(repository)
    (repository.path / "nowhere").symlink_to("/nowhere/at/all")
    (repository.path / ".hidden").mkdir()
    (repository.path / "a file").write_text("")
    server = serve(*EXPLICIT)
    assert server.load("good")[0] == 200
    for name, reason in reasons.items():
        status, text = server.load(name)
        assert status in (400, 500), (name, text)
        assert reason in json.loads(text)["error"], name
    assert server.load("nowhere")[0] == 500
    assert server.ask("good") == (200, "good")
    index = server.index()
    assert {row for row in index if row[0] == "good"} == {("good", "1")}
    assert not {row for row in index if row[0] in (".hidden", "a file")}
    for word in ("1_tmp", "20261123000000000000", "2.bak"):
        assert f"ignore version directory '{word}'" in server.log
    # A mended model loads, and nothing of its failure stays.
    repository.write_config("junk", CONFIG.format(more=""))
    assert server.load("junk")[0] == 200
    assert "problem" not in server.index()[("junk", "1")]


def test_bad_requests_change_nothing(repository, serve):
    repository.write_model("m", content="disk")
    server = serve(*EXPLICIT, "--load-model", "m")
    config = CONFIG.format(more="")
    bad = [
        ({"config": 1}, 500),
        ({"config": config}, 500),  # text format where JSON is expected
        ({"config": "[" * 100000}, 500),
        ({"config": '{"max_batch_size": 99999999999999999999}'}, 500),
        ({"config": "{}", "file:1/content.txt": "no base64!"}, 400),
        ({"config": "{}", "file:1/content.txt": "abcde"}, 400),
        ({"config": "{}", "file:": "eA=="}, 400),
        ({"config": "{}", "file:" + "d/" * 5000 + "x": "eA=="}, 500),
        ({"config": "{}", "file:" + "x" * 300: "eA=="}, 500),
        ({"parameter": "x"}, 500),
    ]
    for parameters, expected in bad:
        status, text = server.load("m", **parameters)
        assert status == expected, (str(parameters)[:60], text)
        assert json.loads(text)["error"]
    giant = json.dumps({"parameters": {"config": "x" * (65 << 20)}}).encode()
    assert server.call("POST", "/v2/repository/models/m/load", giant)[0] in (0, 400, 413)
    for name in ("..", ".", "%2e%2e", "a%2fb", "x" * 5000):
        status, text = server.load(name)
        assert status in (400, 404, 500), (name, text)
    assert server.ask() == (200, "disk")
    assert set(server.index()) == {("m", "1")}
    assert server.get("/v2/health/ready")[0] == 200
