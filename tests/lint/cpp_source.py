"""A small reader of C++ files: includes, macros, and code without comments and strings."""

from __future__ import annotations

import re

_COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/                              # comments
    |R"(?P<delimiter>[^()\s]*)\(.*?\)(?P=delimiter)"    # raw strings
    |"(?:\\.|[^"\\\n])*"                                # strings
    |'(?:\\.|[^'\\\n])'                                 # characters (a digit separator is none)
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
_FUNCTION_MACRO = re.compile(r"^\s*#\s*define\s+(\w+)\(", re.MULTILINE)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(text: str) -> str:
    """The text with comments and strings blanked; every line stays in its place."""
    return _COMMENT_OR_STRING.sub(_blank, text)


def includes(text: str) -> list[tuple[str, str]]:
    """(`"` or `<`, path) for each include."""
    return _INCLUDE.findall(text)


def function_macros(text: str) -> list[str]:
    return _FUNCTION_MACRO.findall(code_of(text))


def lines_matching(pattern: str, text: str) -> list[int]:
    """The line numbers where code (not a comment, not a string) matches."""
    code = code_of(text)
    return [code.count("\n", 0, match.start()) + 1 for match in re.finditer(pattern, code)]
