"""The command line of pytriton-load."""

from __future__ import annotations

import subprocess

import pytest

from e2e.load_peers import grpc_peer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nothing"], "unknown option '--nothing'"),
        (["--concurrency"], "--concurrency: expected N"),
        (["--concurrency", "0"], "--concurrency: expected at least 1"),
        (["--concurrency", "x"], "--concurrency: expected a number"),
        (["--concurrency=1.5"], "--concurrency: expected a whole number"),
        (["--connections", "2"], "--connections: expected 1 to the value of --concurrency"),
        (["--protocol", "smtp"], "expected grpc, http or raw, got 'smtp'"),
        (["--inputs", "a"], "expected two names"),
        (["--number", "a,b"], "--number: expected with --protocol http only"),
        (["--address", "nowhere"], "expected HOST:PORT or unix:PATH"),
        (["--rate", "1", "--vanish-after", "1"], "expected only one of them"),
    ],
)
def test_bad_options_are_told(load, options, message):
    assert message in load("127.0.0.1:1", *options, code=2)["error"]


def test_a_server_that_is_not_there_is_told(load):
    assert "Connection refused" in load("127.0.0.1:1", code=3)["error"]


def test_help_lists_every_option(load_program):
    text = subprocess.run(
        [load_program, "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("protocol", "address", "concurrency", "rate", "vanish-after", "json"):
        assert f"\n  --{option}" in text


def test_text_for_people(load_program):
    with grpc_peer() as peer:
        command = [load_program, "--address", peer.address, "--duration", "0.1", "--warmup", "0"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for word in ("requests", "0 wrong", "right answers/s", "p99.9", "us of CPU a request"):
        assert word in text, text
