"""The floors of the house (ARCHITECTURE.md): who includes whom, and what may appear where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lint.cpp_source import code_of, function_macros, includes, lines_matching
from lint.lint_files import ROOT, files

# The rooms that each room may include, besides itself.
MAY_KNOW = {
    "base": set(),
    "net": {"base"},
    "tls": {"net", "base"},  # nobody includes it: a library of its own
    "wire": {"base"},
    "tensor": {"base"},
    "infer": {"tensor", "base"},
    "schedule": {"infer", "tensor", "base"},
    "backend": {"infer", "tensor", "base"},
    "repo": {"infer", "wire", "tensor", "base"},
    "api": {"repo", "infer", "wire", "tensor", "base"},
    "server": {
        *("api", "repo", "backend", "schedule", "infer"),
        *("net", "wire", "tensor", "base", "include"),
    },
    "include": set(),  # the public headers stand alone
    "bindings": {
        *("server", "api", "repo", "backend", "schedule", "infer"),
        *("net", "wire", "tensor", "base", "include"),
    },
}
MACRO_HEADERS = {"base/status.h", "base/log.h", "base/thread_annotations.h"}
# Slow to compile, or generated: only .cc files include them, so that nobody pays who doesn't ask.
HEAVY = ("boost/", "simdjson", "spdlog/", "fmt/", "google/protobuf/", "nghttp2/", "wire/proto/")
HEAVY += ("yaml.h", "openssl/")

SOURCES = files("csrc", suffixes=(".h", ".cc", ".pyx", ".pxd", ".pxi"))
CPP = [path for path in SOURCES if path.suffix in (".h", ".cc")]
HEADERS = [path for path in CPP if path.suffix == ".h"]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "csrc").parts[0]


def in_csrc(path: Path) -> str:
    return str(path.relative_to(ROOT / "csrc"))


def target_of(included: str) -> str | None:
    """The room that an include path leads to; None when it is no file of ours."""
    if included.startswith("pytriton/"):
        return "include"
    first = included.split("/")[0]
    return first if first in MAY_KNOW and "/" in included else None


def own_includes(path: Path) -> list[str]:
    return [included for _, included in includes(text_of(path)) if target_of(included)]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def offences(paths: list[Path], check: Callable[[Path], object]) -> dict[str, object]:
    """What `check` found, by file; files without findings don't appear."""
    found = {in_csrc(path): check(path) for path in paths}
    return {name: finding for name, finding in found.items() if finding}


def below_bindings() -> list[Path]:
    return [path for path in CPP if room_of(path) != "bindings"]


def test_every_room_is_known():
    rooms = {path.name for path in (ROOT / "csrc").iterdir() if path.is_dir()}
    assert rooms <= set(MAY_KNOW)


def test_includes_only_downward():
    def upward_or_sideways(path: Path) -> list[str]:
        allowed = MAY_KNOW[room_of(path)] | {room_of(path)}
        return [included for included in own_includes(path) if target_of(included) not in allowed]

    assert not offences(CPP, upward_or_sideways)


def test_what_workers_load_stands_alone():
    """bindings/hot is loaded by any interpreter, where there is no core."""

    def foreign(path: Path) -> list[str]:
        own = ("bindings/hot/", "bindings/py_ref.h")
        return [included for included in own_includes(path) if not included.startswith(own)]

    assert not offences([path for path in CPP if path.parent.name == "hot"], foreign)


def test_headers_have_no_include_cycle():
    graph = {in_csrc(path).removeprefix("include/"): own_includes(path) for path in HEADERS}
    done: set[str] = set()

    def visit(header: str, trail: tuple[str, ...]) -> None:
        assert header not in trail, f"include cycle: {' -> '.join([*trail, header])}"
        if header not in done:
            for included in graph.get(header, []):
                visit(included, (*trail, header))
            done.add(header)

    for header in graph:
        visit(header, ())


def test_csrc_is_the_only_include_root():
    def foreign(path: Path) -> list[str]:
        quoted = [name for mark, name in includes(text_of(path)) if mark == '"']
        return [name for name in quoted if not target_of(name)]

    assert not offences(CPP, foreign)


def test_headers_open_with_what_they_are_for():
    def lacks(path: Path) -> str:
        text = text_of(path)
        if not text.startswith("// "):
            return "no opening comment: what it is for, thread rule, owner rule"
        return "" if "\n#pragma once\n" in text else "no #pragma once"

    assert not offences(HEADERS, lacks)


def test_headers_include_nothing_heavy():
    def heavy(path: Path) -> list[str]:
        return [name for _, name in includes(text_of(path)) if name.startswith(HEAVY)]

    # Those that only one library sees, which is about nothing else.
    shared = [path for path in HEADERS if room_of(path) not in ("bindings", "tls")]
    assert not offences(shared, heavy)


def test_function_like_macros_stay_in_their_headers():
    others = [path for path in CPP if in_csrc(path) not in MACRO_HEADERS]
    assert not offences(others, lambda path: function_macros(text_of(path)))


def test_python_stays_in_bindings():
    def python(path: Path) -> list[str]:
        names = [name for _, name in includes(text_of(path))]
        return [name for name in names if name.startswith(("Python.h", "pybind11", "numpy"))]

    assert not offences(below_bindings(), python)


def test_nothing_throws_below_bindings():
    assert not offences(below_bindings(), lambda path: lines_matching(r"\bthrow\b", text_of(path)))


def test_standard_mutexes_stay_behind_ours():
    pattern = (
        r"std::(recursive_|shared_|timed_)?mutex\b|std::(lock_guard|unique_lock|scoped_lock)\b"
    )
    others = [path for path in CPP if in_csrc(path) != "base/mutex.h"]
    assert not offences(others, lambda path: lines_matching(pattern, text_of(path)))


def test_a_mutex_says_what_it_guards():
    def silent(path: Path) -> list[int]:
        text = text_of(path)
        claims = "GUARDED_BY(" in code_of(text) or "REQUIRES(" in code_of(text)
        return [] if claims else lines_matching(r"\b(?<!std::)Mutex \w+;", text)

    assert not offences([path for path in CPP if in_csrc(path) != "base/mutex.h"], silent)


def test_open_work_names_its_issue():
    def nameless(path: Path) -> list[int]:
        lines = enumerate(text_of(path).splitlines(), 1)
        return [n for n, line in lines if "FIXME" in line or "TODO" in line.replace("TODO(#", "")]

    assert not offences(SOURCES, nameless)
