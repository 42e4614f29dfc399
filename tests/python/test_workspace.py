from __future__ import annotations

import pytest

from pytriton import constants
from pytriton.triton import Triton
from pytriton.utils.workspace import CleanupWarning, Workspace


def test_makes_and_removes_the_directory(tmp_path):
    workspace = Workspace(tmp_path / "a" / "b")
    assert workspace.model_store_path.is_dir()
    (workspace.path / "file").write_text("x")
    workspace.clean()
    assert not workspace.exists()


def test_an_empty_model_store_counts_and_dot_entries_do_not(tmp_path):
    workspace = Workspace(tmp_path / "w")
    assert not workspace.is_empty()
    workspace.model_store_path.rmdir()
    (workspace.path / ".cache").mkdir()
    (workspace.path / ".cache" / "file").write_text("x")
    assert workspace.is_empty()


def test_a_workspace_that_is_gone_is_empty(tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.clean()
    assert workspace.is_empty()


def test_one_of_no_given_path_is_made_where_the_home_is_now_and_goes_with_its_object(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(constants, "PYTRITON_HOME", tmp_path / "home")
    workspace = Workspace()
    path = workspace.path
    assert path.parent == (tmp_path / "home").resolve()
    del workspace
    assert not path.exists()


def test_refuses_an_existing_path(tmp_path):
    with pytest.raises(FileExistsError):
        Workspace(tmp_path)


def test_dot_files_stay_and_are_a_warning(tmp_path):
    workspace = Workspace(tmp_path / "w")
    (workspace.path / ".keep").write_text("x")
    workspace.model_store_path.rmdir()
    assert workspace.is_empty()
    with pytest.warns(CleanupWarning, match="Could not clean workspace"):
        workspace.clean()
    assert (workspace.path / ".keep").exists()


def test_a_server_that_never_ran_leaves_its_workspace(tmp_path):
    triton = Triton(workspace=tmp_path / "w")
    assert triton.stop() is False
    assert (tmp_path / "w").is_dir()
