"""Servers of repositories; whoever starts one gets it stopped, and its end checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reload.repository import Repository, RepositoryServer


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "models")


@pytest.fixture
def serve(tmp_path: Path, repository: Repository) -> Iterator[Callable[..., RepositoryServer]]:
    """`serve("--option", "value", ...)` gives a server of `repository` that is ready."""
    servers: list[RepositoryServer] = []

    def start(*options: str) -> RepositoryServer:
        servers.append(RepositoryServer(tmp_path, repository, *options))
        servers[-1].wait_ready()
        return servers[-1]

    yield start
    for server in servers:
        code = server.stop()
        assert code == 0, f"exit code {code}:\n{server.log}"
