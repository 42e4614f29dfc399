#!/usr/bin/env bash
# The Python unit tests on every CPython from 3.9 on that this machine has, each with the newest numpy that it takes and,
# where there are wheels of it, with numpy 1.26. The core is built once, the modules for each.
#   tools/test-pythons.sh [PYTHON...]     interpreters; without: python3.N on the PATH, and pyenv's
set -uo pipefail
cd "$(dirname "$0")/.."
readonly BUILD=build/pythons

find_pythons() {
  local minor python
  for minor in 9 10 11 12 13 14; do
    for python in "$(command -v "python3.$minor")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python; do
      # A shim that leads nowhere is none, and neither is one without venv.
      if [ -x "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        break
      fi
    done
  done
}

build_for() {
  # What cmake remembers of the last interpreter goes; what it has compiled of the core stays.
  cmake -S . -B $BUILD -G Ninja -U 'Python_*' -U '_Python*' -U 'pybind11*' -U '*Cython*' -U 'CYTHON*' \
    -DCMAKE_BUILD_TYPE=Release -DPYTRITON_PYTHON=ON -DPYTRITON_TESTS=OFF -DPython_EXECUTABLE="$1" >$BUILD.log 2>&1 &&
    cmake --build $BUILD >>$BUILD.log 2>&1 || {
    tail -40 $BUILD.log
    return 1
  }
}

test_with() {
  local python=$1 numpy=$2
  "$python" -m pip install --quiet "$numpy" || return 1
  PYTHONPATH=$PWD/$BUILD/python:$PWD/tests "$python" -m pytest tests/python -q -p no:cacheprovider
}

mkdir -p build
pythons=("$@")
[ $# -gt 0 ] || mapfile -t pythons < <(find_pythons)
[ ${#pythons[@]} -gt 0 ] || { echo "no CPython from 3.9 on was found"; exit 1; }
report=()
status=0
for python in "${pythons[@]}"; do
  version=$("$python" -c 'import platform; print(platform.python_version())')
  venv=$PWD/build/venv-$version
  printf '\n=== CPython %s ===\n' "$version"
  if ! { "$python" -m venv "$venv" &&
    "$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' &&
    "$venv/bin/python" -m pip install --quiet --upgrade --only-binary :all: --group build --group unit &&
    build_for "$venv/bin/python"; }; then
    report+=("FAILED  CPython $version: the build")
    status=1
    continue
  fi
  for numpy in numpy 'numpy==1.26.*'; do
    # numpy 1.26 knows Python up to 3.12.
    if [ "$numpy" != numpy ] && ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
      continue
    fi
    if test_with "$venv/bin/python" "$numpy"; then
      result=passed
    else
      result=FAILED
      status=1
    fi
    report+=("$result  CPython $version, numpy $("$venv/bin/python" -c 'import numpy; print(numpy.__version__)')")
  done
  "$venv/bin/python" -m pip install --quiet --upgrade numpy
done
printf '\n=== summary ===\n'
printf '%s\n' "${report[@]}"
exit $status
