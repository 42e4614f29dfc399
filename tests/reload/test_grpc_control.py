"""Load, unload and index with the stock gRPC client."""

from __future__ import annotations

import json

import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from reload.repository import Repository

EXPLICIT = ("--model-control-mode", "explicit")
CONFIG = {
    "backend": "identity",
    "max_batch_size": 8,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}],
    "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [4]}],
}


def rows(client: grpcclient.InferenceServerClient) -> list[tuple[str, str, str, str]]:
    index = client.get_model_repository_index()
    return [(row.name, row.version, row.state, row.reason) for row in index.models]


def refusal(call, *arguments, **named) -> str:
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **named)
    return f"{caught.value.status()} {caught.value.message()}"


def test_models_are_controlled(repository: Repository, serve):
    repository.write_model("m", content="disk")
    repository.write_model(
        "bad", more='parameters { key: "fail_load" value { string_value: "no" } }'
    )
    server = serve(*EXPLICIT)
    with grpcclient.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        assert rows(client) == [("bad", "", "", ""), ("m", "", "", "")]
        client.load_model("m")
        assert client.is_model_ready("m")
        assert server.ask() == (200, "disk")

        assert refusal(client.load_model, "bad") == (
            "StatusCode.INVALID_ARGUMENT load failed for model 'bad': version 1 is at UNAVAILABLE "
            "state: Internal: no;\n"
        )
        assert rows(client) == [
            ("bad", "1", "UNAVAILABLE", "Internal: no"),
            ("m", "1", "READY", ""),
        ]
        client.unload_model("bad")

        files = {"file:1/content.txt": b"uploaded"}
        client.load_model("m", config=json.dumps(CONFIG), files=files)
        assert server.ask() == (200, "uploaded")
        client.load_model("m")
        assert server.ask() == (200, "disk")
        client.load_model("new", config=json.dumps(CONFIG), files=files)
        assert server.ask("new") == (200, "uploaded")

        outside = {"file:../../1/content.txt": b"x"}
        text = refusal(client.load_model, "m", config=json.dumps(CONFIG), files=outside)
        assert text.startswith("StatusCode.INVALID_ARGUMENT")
        assert "must stay within model directory" in text
        text = refusal(client.load_model, "m", config="{ not JSON")
        assert "failed to load 'm', failed to poll from model repository" in text
        assert refusal(client.load_model, "nowhere").startswith("StatusCode.INTERNAL")
        assert "path traversal" in refusal(client.load_model, "..")
        assert server.ask() == (200, "disk")

        client.unload_model("m")
        client.unload_model("new", unload_dependents=True)
        client.unload_model("nowhere")
        assert not client.is_model_ready("m")
        index = {row[0]: row[2:] for row in rows(client)}
        assert index["m"] == ("UNAVAILABLE", "unloaded")
        assert "not found" in refusal(client.infer, "nowhere", [])


def test_the_mode_must_be_explicit(repository: Repository, serve):
    repository.write_model("m")
    server = serve("--model-control-mode", "none")
    with grpcclient.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        for call in (client.load_model, client.unload_model):
            assert refusal(call, "m") == (
                "StatusCode.UNAVAILABLE explicit model load / unload is not allowed if polling is "
                "enabled"
            )
        assert rows(client) == [("m", "1", "READY", "")]
