"""`pytriton` and `python -m pytriton`: serve, check, env and the examples of the check."""

from __future__ import annotations

import sys

_USAGE = """\
usage: pytriton [COMMAND] [OPTIONS]

  serve APP        serve what a script or a module binds (`pytriton serve --help`)
  check            env and examples; what runs without a command
  env              tell about this machine and its packages
  examples         serve and ask an adder, in this process and as a script
  example-add-sub  the first of them
  example-add-sub-script  the second

Options of all but serve:
  -w, --workspace PATH  keep what was found here; must not exist (default: a temporary directory)
  --zip, --no-zip       whether to pack it into one file (default: --zip)
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Without the program's name; None: those of this process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["serve"]:
        from pytriton import serve

        return serve.main(arguments[1:])
    if any(word in ("-h", "--help") for word in arguments):
        sys.stdout.write(_USAGE)
        return 0
    from pytriton.check.tool import run

    return run(arguments, _USAGE)


if __name__ == "__main__":
    sys.exit(main())
