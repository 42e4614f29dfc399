"""Ceilings: 400 lines a file, 60 a function (clang-tidy holds C++ functions to theirs)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from lint.lint_files import cpp_files, files, name_of, python_files

FILE_LINES = 400
FUNCTION_LINES = 60
CYTHON = files("csrc", suffixes=(".pyx", ".pxd", ".pxi"))


def python_functions_too_long(path: Path) -> dict[str, int]:
    too_long = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            if lines > FUNCTION_LINES:
                too_long[node.name] = lines
    return too_long


def cython_functions_too_long(path: Path) -> dict[str, int]:
    """Functions by indentation: a definition lasts until the next line that is not deeper."""
    too_long = {}
    lines = [*path.read_text(encoding="utf-8").splitlines(), "end"]
    for start, line in enumerate(lines):
        match = re.match(r"( *)(cdef|cpdef|def|async def)\b(?! class)[^=]*?(\w+)\(", line)
        if not match:
            continue
        body = re.compile(rf" {{0,{len(match.group(1))}}}[^\s)#]")
        end = next(
            n for n in range(start + 1, len(lines)) if body.match(lines[n]) or n + 1 == len(lines)
        )
        if end - start > FUNCTION_LINES:
            too_long[match.group(3)] = end - start
    return too_long


def test_files_are_short():
    """More lines: a second idea may live in the file."""
    lines = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in cpp_files() + python_files() + CYTHON
    }
    assert not {name: count for name, count in lines.items() if count > FILE_LINES}


def test_python_functions_are_short():
    found = {name_of(path): python_functions_too_long(path) for path in python_files()}
    assert not {name: functions for name, functions in found.items() if functions}


def test_cython_functions_are_short():
    found = {name_of(path): cython_functions_too_long(path) for path in CYTHON}
    assert not {name: functions for name, functions in found.items() if functions}
