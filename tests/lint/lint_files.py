"""What the lint looks at: the project's own files, and where the tools are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*folders: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Every file below `folders` (relative to the root) that ends in one of `suffixes`, sorted."""
    found: list[Path] = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes and "build" not in path.parts[-3:-1]:
                found.append(path)
    return found


def cpp_files() -> list[Path]:
    return files("csrc", "tests", "bench", "examples", suffixes=(".h", ".cc"))


def python_files() -> list[Path]:
    return files("pytriton", "tests", "bench", "examples", "tools", suffixes=(".py",))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tool(name: str) -> str:
    """The tool of this environment, or the first on the PATH; never silently absent."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed; `make lint` sets everything up"
    return found


def run(*command: str) -> None:
    """Runs a checker in the project's folder and fails with what it printed."""
    # Checkers start others of this environment by name (cython-lint: pycodestyle).
    beside = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    result = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, env=beside
    )
    assert result.returncode == 0, f"{' '.join(command[:3])} ...\n{result.stdout}{result.stderr}"
