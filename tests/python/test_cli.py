"""`python -m pytriton`: commands, exit codes, what is kept."""

from __future__ import annotations

import zipfile

import pytest

from pytriton.__main__ import main
from pytriton.check.utils import find_free_port, search_warning_on_too_verbose_log_level


@pytest.fixture(autouse=True)
def quiet_logger():
    import logging

    logger = logging.getLogger("pytriton.check")
    before = list(logger.handlers)
    yield
    for handler in logger.handlers[:]:
        if handler not in before:
            logger.removeHandler(handler)
            handler.close()


def test_help_needs_nothing(capsys):
    assert main(["--help"]) == 0
    assert "example-add-sub" in capsys.readouterr().out


def test_serve_is_a_command(capsys):
    assert main(["serve", "--help"]) == 0
    assert "--http-port" in capsys.readouterr().out


def test_env_tells_about_the_machine_and_hides_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN_VALUE", "do-not-tell")
    monkeypatch.setenv("MY_SETTING", "do-tell")
    workspace = tmp_path / "w"
    assert main(["env", "--workspace", str(workspace), "--no-zip"]) == 0
    log = (workspace / "env_log.txt").read_text()
    assert "numpy==" in log
    assert "do-tell" in log
    assert "do-not-tell" not in log
    assert not (tmp_path / "w.zip").exists()


def test_check_runs_everything_and_packs_it(tmp_path):
    workspace = tmp_path / "w"
    assert main(["-w", str(workspace)]) == 0
    with zipfile.ZipFile(tmp_path / "w.zip") as archive:
        log = archive.read("check_log.txt").decode()
    assert "example_add_sub: the sums and the differences are right" in log
    assert "example_add_sub_script: the sums and the differences are right" in log


def test_an_existing_workspace_is_refused(tmp_path, capsys):
    assert main(["env", "-w", str(tmp_path)]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_an_unknown_command_is_refused(capsys):
    assert main(["nonsense"]) == 2


def test_helpers():
    assert 0 < find_free_port() < 65536
    warning = (
        "Triton Inference Server is running with enabled verbose logs (log_verbose_level=1). "
        "It may affect inference performance."
    )
    assert search_warning_on_too_verbose_log_level(f"x {warning} y")
    assert not search_warning_on_too_verbose_log_level("all quiet")
