"""Formats: clang-format for C++, ruff for Python."""

from __future__ import annotations

from lint.lint_files import cpp_files, name_of, run, tool


def test_cpp_is_formatted():
    run(tool("clang-format"), "--dry-run", "--Werror", *map(name_of, cpp_files()))


def test_python_is_formatted():
    run(tool("ruff"), "format", "--check", ".")
