#!/bin/sh
# `make bench`: the benchmark, with the pytriton of the virtual environment. Options as of run.py.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-.venv/bin/python}" bench/run.py "$@"
