"""clang-tidy over the core and the workers' module: thread safety, bugprone, performance, sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lint.lint_files import ROOT, tool

DATABASE = ROOT / "build" / "dev"
# The thread-safety analysis is clang's own: switched on here, whatever compiler builds the project.
EXTRA = ("--extra-arg=-Wthread-safety", "--extra-arg=-Wno-unknown-warning-option")
# The workers' module, which the database doesn't hold: as cmake/python.cmake compiles it.
HOT = ROOT / "csrc" / "bindings" / "hot"
HOT_FLAGS = (
    *("-std=c++20", "-DPy_LIMITED_API=0x03090000", f"-I{ROOT / 'csrc'}"),
    *("-isystem", sysconfig.get_path("include")),
)


def translation_units() -> list[str]:
    entries = json.loads((DATABASE / "compile_commands.json").read_text(encoding="utf-8"))
    core = str(ROOT / "csrc") + os.sep
    return sorted({entry["file"] for entry in entries if entry["file"].startswith(core)})


def tidy(source: str) -> str:
    command = [tool("clang-tidy"), "--quiet", *EXTRA, source]
    command += ["--", *HOT_FLAGS] if Path(source).parent == HOT else ["-p", str(DATABASE)]
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr


@pytest.mark.timeout(1200)
def test_clang_tidy_finds_nothing():
    assert (DATABASE / "compile_commands.json").exists(), "run `make lint`, or cmake --preset dev"
    sources = translation_units()
    assert sources
    sources += map(str, sorted(HOT.glob("*.cc")))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        findings = [text for text in pool.map(tidy, sources) if text]
    assert not findings, "\n".join(findings)


def test_every_source_is_built():
    on_disk = {str(path) for path in Path(ROOT / "csrc").rglob("*.cc")}
    in_bindings = {path for path in on_disk if "/csrc/bindings/" in path}
    assert on_disk - in_bindings == set(translation_units())
