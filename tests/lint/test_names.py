"""The names that the files of a room keep to themselves: no other file of it has the same.

`make test` compiles several files of a room as one ("together" in CMakePresets.json), where such
names meet. Apart from that, two helpers of one name are mostly one helper, written twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from lint.cpp_source import code_of
from lint.lint_files import ROOT, files, name_of

# In code without comments: the one that closes a namespace leaves blanks behind.
UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  +$", re.M | re.S)
CONSTANT = re.compile(
    r"^(?:inline |static )*const(?:expr)? [^(){}=;]*?(\w+)(?:\[\w*\])*(?: =|\{)", re.M
)
TYPE = re.compile(r"^(?:class|struct|union|enum(?: class)?) (\w+)[^;{(]*\{", re.M)
ALIAS = re.compile(r"^using (\w+) = ([^;]*);", re.M)
FUNCTION = re.compile(r"^\w[\w:<>,&*\[\] ]*? [&*]?(\w+)\(([^;{]*?)\)[^;{}()]*\{", re.M)
TEST = re.compile(r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", re.M)


def parameter_types(parameters: str) -> tuple[str, ...]:
    """The types of the parameters that a call must give."""
    depth, part, parts = 0, "", []
    for char in parameters + ",":
        depth += (char in "<({[") - (char in ">)}]")
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    needed = (" ".join(part.split()) for part in parts if part.strip() and "=" not in part)
    return tuple(re.sub(r"(?<=[\w>&*]) \w+$", "", part) for part in needed)


def names_in(code: str) -> set[str]:
    """What is defined outside of classes and functions: constants, types, aliases, functions."""
    return {
        *(f"constant {name}" for name in CONSTANT.findall(code)),
        *(f"type {name}" for name in TYPE.findall(code)),
        *(f"alias {name}" for name, _ in ALIAS.findall(code)),
        *(
            f"function {name}({', '.join(parameter_types(parameters))})"
            for name, parameters in FUNCTION.findall(code)
        ),
    }


def own_names(text: str) -> set[str]:
    """What a file keeps to itself: what it defines in its unnamed namespaces, and its tests."""
    code = code_of(text)
    names = {f"test {suite}.{test}" for suite, test in TEST.findall(code)}
    return names.union(*(names_in(match.group(1)) for match in UNNAMED.finditer(code)))


def aliases(text: str) -> dict[str, str]:
    return {name: " ".join(what.split()) for name, what in ALIAS.findall(code_of(text))}


def rooms() -> list[Path]:
    return [
        path for top in ("csrc", "tests/csrc") for path in (ROOT / top).iterdir() if path.is_dir()
    ]


@pytest.mark.parametrize("room", rooms(), ids=name_of)
def test_no_two_files_of_a_room_have_a_name_of_their_own_in_common(room: Path):
    owners: dict[str, list[str]] = defaultdict(list)
    texts = {path: path.read_text("utf-8") for path in files(name_of(room), suffixes=(".cc",))}
    for path, text in texts.items():
        for name in own_names(text):
            owners[name].append(path.name)
    for path in files(name_of(room), suffixes=(".h",)):
        for name in names_in(code_of(path.read_text("utf-8"))) & set(owners):
            owners[name].append(path.name)
    for name in [name for name in owners if name.startswith("alias ")]:
        meanings = {aliases(text).get(name[6:]) for text in texts.values()} - {None}
        if len(meanings) == 1:  # the same said twice
            del owners[name]
    assert {name: paths for name, paths in owners.items() if len(paths) > 1} == {}


def test_the_reader_finds_names():
    text = """
namespace {

constexpr size_t kRoom = 512;
constexpr std::array<Kind, 3> kKinds = {{}};
using Names = std::set<std::string>;
class Event {
  void Inner(int a) {}
};
Result<std::string> Real(const std::string& path, int depth = 3) {
  return Call(path);
}

}  // namespace

TEST_F(Suite, Says) {}
"""
    assert own_names(text) == {
        *("constant kRoom", "constant kKinds", "alias Names", "type Event"),
        *("function Real(const std::string&)", "test Suite.Says"),
    }
