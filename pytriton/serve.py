"""`python -m pytriton.serve app.py`: serves what a script or a module binds."""

from __future__ import annotations

import importlib
import logging
import os
import runpy
import sys
from typing import Any, NamedTuple

from pytriton import _core, _options
from pytriton.exceptions import PyTritonError

_USAGE = "usage: python -m pytriton.serve [OPTIONS] [APP [OPTIONS] [-- ARGUMENTS OF THE SCRIPT]]"

_INTRODUCTION = """\
Serves Python callables and model repositories over HTTP and gRPC (KServe v2).

--model-repository DIR serves the models in DIR; with an APP, both are served. APP is one of:
  app.py          a script. If it calls serve() itself, it simply runs; a Triton object that is
                  left at its top level, under any name, is served
  module          the same for an importable module
  module:object   a Triton object, or a function without arguments that returns one

An app binds its models like this:

  from pytriton.triton import Triton
  triton = Triton()
  triton.bind("Model", infer_func=..., inputs=[...], outputs=[...])

Options given here win over those in the app. Every option is also a variable, such as
PYTRITON_TRITON_CONFIG_HTTP_PORT for --http-port, which the app's own configuration wins over.
Boolean options may be given alone for true. List options may be given several times.
"""

_Row = dict[str, Any]

_BOOLEANS = ("true", "on", "1", "false", "off", "0")


class UsageError(Exception):
    """The command line can't be understood."""


class CommandLine(NamedTuple):
    """A parsed command line.

    Attributes:
        app: What is served beside model repositories; None: nothing.
        options: Options by name, as texts.
        arguments: The script's own arguments.
    """

    app: str | None
    options: dict[str, str | list[str]]
    arguments: list[str]


def help_text(rows: list[_Row]) -> str:
    """The text of --help: every option with its default and unit, by group."""
    lines = [_USAGE, "", _INTRODUCTION.rstrip()]
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            lines += ["", f"{group}:"]
        lines += _option_lines(row)
    return "\n".join(lines) + "\n"


def _option_lines(row: _Row) -> list[str]:
    value = row["unit"] or {"bool": "true|false", "list": "VALUE"}.get(row["type"], row["type"])
    notes = []
    if row["default"]:
        unit = row["unit"] if row["type"] in ("int", "float") and row["unit"] != "port" else ""
        notes.append(f"default: {row['default']}{' ' + unit if unit else ''}")
    if row["type"] == "list":
        notes.append("may be repeated")
    if not row["active"]:
        notes.append("accepted, no effect in this version")
    note = f" [{'; '.join(notes)}]" if notes else ""
    return [f"  --{row['name']} <{value}>", f"        {row['help']}{note}"]


def parse(arguments: list[str], rows: list[_Row]) -> CommandLine:
    """Reads a command line; values are checked by the core.

    Raises:
        UsageError: There is no app, an option is unknown or lacks its value.
    """
    by_name = {row["name"]: row for row in rows}
    options: dict[str, str | list[str]] = {}
    app = None
    rest = list(arguments)
    while rest:
        if rest[0] == "--":
            del rest[0]
            break
        if not rest[0].startswith("-"):
            if app is not None:
                break
            app = rest.pop(0)
            continue
        name, row, value = _take_option(rest, by_name)
        if row["type"] == "list":
            options[name] = [*options.get(name, []), value]
        else:
            options[name] = value
    if app is None and not _has_repository(options):
        raise UsageError(
            "what to serve is missing: give --model-repository DIR, a script (app.py) or "
            "module:object"
        )
    return CommandLine(app, options, rest)


def _has_repository(options: dict[str, str | list[str]]) -> bool:
    """Whether the command line or the environment names a model repository."""
    from pytriton._triton_config import environment_values

    return any(
        name in options or name.replace("-", "_") in environment_values()
        for name in ("model-repository", "model-store")
    )


def _take_option(rest: list[str], by_name: dict[str, _Row]) -> tuple[str, _Row, str]:
    word = rest.pop(0)
    name, has_value, value = word[2:].partition("=")
    row = by_name.get(name) if word.startswith("--") else None
    if row is None:
        import difflib

        near = [known for known in by_name if name and known.startswith(name)][:1]
        near = near or difflib.get_close_matches(name, by_name, 1)
        hint = f"; did you mean --{near[0]}" if near else ""
        raise UsageError(f"unknown option {word.split('=')[0]}{hint}")
    if has_value:
        return name, row, value
    if row["type"] == "bool" and (not rest or rest[0].lower() not in _BOOLEANS):
        return name, row, "true"
    if not rest:
        raise UsageError(f"--{name} needs a value")
    return name, row, rest.pop(0)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The app itself; what it imports in vain is told with the line that does.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(f"expected a script or a module to serve, got {name!r}: {error}") from None


def _load(app: str) -> Any:
    """Runs or imports the app; the Triton object to serve, or None when it has served by itself."""
    module_name, has_object, attribute = app.partition(":")
    if has_object and not os.path.exists(app):
        target: Any = _import(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
        return _as_triton(target, app)
    if os.path.exists(app):
        sys.path.insert(0, os.path.dirname(os.path.abspath(app)))
        names = runpy.run_path(app, run_name="__main__")
    else:
        names = vars(_import(app))
    return _find_triton(names, app)


def _as_triton(target: Any, app: str) -> Any:
    from pytriton.triton import Triton

    if callable(target) and not isinstance(target, Triton):
        target = target()
    if not isinstance(target, Triton):
        raise UsageError(f"{app}: expected a Triton object, got {type(target).__name__}")
    return target


def _find_triton(names: dict[str, Any], app: str) -> Any:
    triton_module = sys.modules.get("pytriton.triton")
    if triton_module is None:
        raise UsageError(f"{app} does not use pytriton.triton.Triton, so there is nothing to serve")
    found = {id(v): v for v in names.values() if isinstance(v, triton_module.Triton)}
    if not found:
        return None  # made, served and stopped inside a function
    if len(found) > 1:
        raise UsageError(f"{app} has {len(found)} Triton objects; choose one with module:object")
    return next(iter(found.values()))


def _serve(command: CommandLine) -> None:
    _options.COMMAND_LINE.set(command.options)
    sys.path.insert(0, os.getcwd())
    if command.app is None:
        from pytriton._security import TOKEN_VARIABLE, TritonSecurityConfig
        from pytriton.triton import Triton

        # As tritonserver: every endpoint is open, unless a token was given.
        is_open = not os.environ.get(TOKEN_VARIABLE)
        triton = Triton(security_config=TritonSecurityConfig(None, [] if is_open else None))
        # Nobody may bring a model to a server whose models are fixed, unless by the token.
        is_explicit = str(command.options.get("model-control-mode")).lower() == "explicit"
        triton._takes_remotes = is_explicit or not is_open
    else:
        sys.argv = [command.app, *command.arguments]
        triton = _load(command.app)
    if triton is not None and not triton.has_run:
        triton.serve()
    if triton is not None and triton.has_left_work:
        _exit_at_once()


def _exit_at_once() -> None:
    """Ends the process with code 1, as Triton's does: a callable still runs."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: Without the program's name; None: those of this process.

    Returns:
        The exit code: 0 after a clean stop, 1 when serving failed, 2 when the command is wrong.
        With work still under way at the exit timeout the process ends here, with 1.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    rows = _core.option_table()
    if any(word in ("-h", "--help") for word in arguments):
        sys.stdout.write(help_text(rows))
        return 0
    try:
        _serve(parse(arguments, rows))
    except UsageError as error:
        sys.stderr.write(f"{_USAGE}\nerror: {error}\nTry --help.\n")
        return 2
    except PyTritonError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
