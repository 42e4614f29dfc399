from __future__ import annotations

import pytest

from pytriton.triton import Triton
from pytriton.utils.workspace import CleanupWarning, Workspace


def test_makes_and_removes_the_directory(tmp_path):
    workspace = Workspace(tmp_path / "a" / "b")
    assert workspace.model_store_path.is_dir()
    assert workspace.is_empty()
    (workspace.path / "file").write_text("x")
    assert not workspace.is_empty()
    workspace.clean()
    assert not workspace.exists()


def test_refuses_an_existing_path(tmp_path):
    with pytest.raises(FileExistsError):
        Workspace(tmp_path)


def test_dot_files_stay_and_are_a_warning(tmp_path):
    workspace = Workspace(tmp_path / "w")
    (workspace.path / ".keep").write_text("x")
    assert workspace.is_empty()
    with pytest.warns(CleanupWarning, match="Could not clean workspace"):
        workspace.clean()
    assert (workspace.path / ".keep").exists()


def test_a_server_that_never_ran_leaves_its_workspace(tmp_path):
    triton = Triton(workspace=tmp_path / "w")
    assert triton.stop() is False
    assert (tmp_path / "w").is_dir()
