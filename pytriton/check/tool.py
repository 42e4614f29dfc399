"""The commands `check`, `env` and `examples`: run, log, pack the log."""

from __future__ import annotations

import argparse
import logging
import os
import pathlib
import shutil
import sys
import tempfile
from typing import Callable

from pytriton.check.utils import DEFAULT_LOG_FORMAT

LOGGER = logging.getLogger("pytriton.check")

_WARNING = """\
#######################################################################
# WARNING: what is collected here may hold sensitive information.     #
# Read it before you give it to others.                               #
#######################################################################"""

Command = Callable[[pathlib.Path], None]


def _env(workspace: pathlib.Path) -> None:
    from pytriton.check.environment import describe

    for line in describe():
        LOGGER.info("%s", line)


def _add_sub(workspace: pathlib.Path) -> None:
    from pytriton.check import add_sub

    with add_sub.serving(workspace / "example_add_sub") as url:
        add_sub.infer(url)
    LOGGER.info("example_add_sub: the sums and the differences are right")


def _add_sub_script(workspace: pathlib.Path) -> None:
    import subprocess

    script = pathlib.Path(__file__).with_name("add_sub.py")
    command = [sys.executable, str(script), "--workspace", str(workspace / "example_script")]
    done = subprocess.run(
        [*command, "--infer"], capture_output=True, text=True, timeout=120, check=False
    )
    LOGGER.info("%s%s", done.stdout, done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"the script ended with code {done.returncode}")
    LOGGER.info("example_add_sub_script: the sums and the differences are right")


COMMANDS: dict[str, list[Command]] = {
    "check": [_env, _add_sub, _add_sub_script],
    "env": [_env],
    "examples": [_add_sub, _add_sub_script],
    "example-add-sub": [_add_sub],
    "example-add-sub-script": [_add_sub_script],
}


def run(arguments: list[str], usage: str) -> int:
    """Runs one command.

    Args:
        arguments: The command (`check` when missing) and its options.
        usage: The text of --help.

    Returns:
        0; 1 when the workspace exists or a part failed; 2 when the command is wrong.
    """
    parser = argparse.ArgumentParser(
        "pytriton", usage=usage.partition("usage: ")[2], add_help=False
    )
    parser.add_argument("command", nargs="?", default="check", choices=sorted(COMMANDS))
    parser.add_argument("-w", "--workspace", type=pathlib.Path)
    parser.add_argument("--zip", dest="zip", action="store_true", default=True)
    parser.add_argument("--no-zip", dest="zip", action="store_false")
    try:
        options = parser.parse_args(arguments)
    except SystemExit:
        return 2
    if options.workspace is None:
        workspace = pathlib.Path(tempfile.mkdtemp(prefix="pytriton_workspace_"))
        archive = pathlib.Path.cwd() / workspace.name
    elif options.workspace.exists():
        sys.stderr.write(f"error: expected a workspace that does not exist: {options.workspace}\n")
        return 1
    else:
        workspace = archive = options.workspace
        workspace.mkdir(parents=True)
    is_good = _run_logged(options.command, workspace)
    if options.zip:
        LOGGER.info("Packed into %s", shutil.make_archive(str(archive), "zip", workspace))
        if options.workspace is None:
            shutil.rmtree(workspace, ignore_errors=True)
    else:
        LOGGER.info("Kept in %s", workspace)
    return 0 if is_good else 1


def _run_logged(command: str, workspace: pathlib.Path) -> bool:
    file = logging.FileHandler(workspace / f"{command.replace('-', '_')}_log.txt")
    os.chmod(file.baseFilename, 0o600)
    for handler in (file, logging.StreamHandler(sys.stderr)):
        handler.setFormatter(logging.Formatter(DEFAULT_LOG_FORMAT))
        LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.warning("\n%s", _WARNING)
    is_good = True
    for part in COMMANDS[command]:
        try:
            part(workspace)
        except Exception:
            is_good = False
            LOGGER.exception("A part of %s failed", command)
    LOGGER.warning("\n%s", _WARNING)
    return is_good
