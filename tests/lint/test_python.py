"""Python and Cython sources: ruff, mypy, cython-lint, and the two lists of build requirements."""

from __future__ import annotations

import re

from lint.lint_files import ROOT, files, name_of, run, tool


def test_ruff_finds_nothing():
    run(tool("ruff"), "check", ".")


def test_types_are_sound():
    run(tool("mypy"), "--strict", "pytriton")


def test_cython_is_clean():
    sources = files("csrc", "pytriton", suffixes=(".pyx", ".pxd", ".pxi"))
    if sources:  # cython-lint without a file complains
        run(tool("cython-lint"), *map(name_of, sources))


def test_both_lists_of_build_requirements_agree():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for_pip = re.search(r"^requires = (\[.*\])", text, re.MULTILINE)
    for_make = re.search(r"^build = (\[.*\])", text, re.MULTILINE)
    assert for_pip is not None
    assert for_make is not None
    assert for_pip.group(1) == for_make.group(1)
