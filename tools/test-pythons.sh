#!/usr/bin/env bash
# The Python unit tests on every CPython from 3.9 on that this machine has, each with the newest numpy that it takes and,
# where there are wheels of it, with numpy 1.26. The core is built once, the modules for each.
#   tools/test-pythons.sh [PYTHON...]     interpreters; without: python3.N and python3.Nt on the PATH, and pyenv's
# What builds and tests print goes to build/pythons/logs; of what fails the end is shown. Exits with 1 when anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
readonly BUILD=build/pythons
readonly LOGS=$BUILD/logs
readonly SHOWN_LINES=40

find_pythons() {
  local version python
  for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.13t 3.14t; do
    for python in "$(command -v "python$version")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${version%t}".*/bin/"python$version"; do
      # A shim that leads nowhere is none, and neither is one without venv.
      if [ -x "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        break
      fi
    done
  done
}

# Runs a command with its output in a log; shows the log's end when it fails.
logged() {
  local log=$1
  shift
  "$@" >>"$log" 2>&1 && return 0
  printf '  failed: %s\n' "$*"
  tail -n $SHOWN_LINES "$log" | cut -c 1-160 | sed 's/^/  | /'
  return 1
}

prepare() {
  local python=$1 venv=$2 log=$3
  logged "$log" "$python" -m venv "$venv" &&
    logged "$log" "$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' &&
    logged "$log" "$venv/bin/python" -m pip install --quiet --upgrade --only-binary :all: --group build --group unit
}

build_for() {
  local python=$1 log=$2
  # What cmake remembers of the last interpreter goes; what it has compiled of the core stays.
  logged "$log" cmake -S . -B $BUILD -G Ninja -U 'Python_*' -U '_Python*' -U 'pybind11*' -U '*Cython*' -U 'CYTHON*' \
    -DCMAKE_BUILD_TYPE=Release -DPYTRITON_PYTHON=ON -DPYTRITON_TESTS=OFF "-DPython_EXECUTABLE=$python" &&
    logged "$log" cmake --build $BUILD
}

test_with() {
  local python=$1 log=$2
  PYTHONPATH=$PWD/$BUILD/python:$PWD/tests logged "$log" "$python" -m pytest tests/python -q -p no:cacheprovider
}

rows=()
status=0
# One row of the summary: interpreter, numpy, result, and what pytest counted.
report() {
  rows+=("$(printf '%-18s %-10s %-7s %s' "$1" "$2" "$3" "$4")")
  [ "$3" = passed ] || status=1
  printf '  %s %s\n' "$3" "$4"
}

test_python() {
  local python=$1 tag name venv numpy log version result
  tag=$("$python" -c 'import platform, sys; print(platform.python_version() + ("t" if "t" in sys.abiflags else ""))') || {
    report "$python" - FAILED "it does not start"
    return
  }
  name="CPython $tag"
  venv=$PWD/build/venv-$tag
  printf '%s: environment and build\n' "$name"
  : >"$LOGS/$tag-build.log"
  if ! prepare "$python" "$venv" "$LOGS/$tag-build.log" || ! build_for "$venv/bin/python" "$LOGS/$tag-build.log"; then
    report "$name" - FAILED "see $LOGS/$tag-build.log"
    return
  fi
  python=$venv/bin/python
  for numpy in numpy 'numpy==1.26.*'; do
    # numpy 1.26 knows Python up to 3.12.
    if [ "$numpy" != numpy ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
      continue
    fi
    log=$LOGS/$tag-tests.log
    : >"$log"
    if ! logged "$log" "$python" -m pip install --quiet --upgrade --only-binary :all: "$numpy"; then
      report "$name" "${numpy#numpy==}" FAILED "there is no such numpy"
      continue
    fi
    version=$("$python" -c 'import numpy; print(numpy.__version__)')
    mv "$log" "$LOGS/$tag-numpy-$version.log"
    log=$LOGS/$tag-numpy-$version.log
    printf '%s, numpy %s\n' "$name" "$version"
    result=passed
    test_with "$python" "$log" || result=FAILED
    report "$name" "$version" $result "$(tail -n 1 "$log" | tr -d '=' | sed 's/^ *//; s/ *$//')"
  done
  logged "$log" "$python" -m pip install --quiet --upgrade numpy
}

mkdir -p $LOGS
pythons=("$@")
[ $# -gt 0 ] || mapfile -t pythons < <(find_pythons)
[ ${#pythons[@]} -gt 0 ] || { echo "no CPython from 3.9 on was found"; exit 1; }
for python in "${pythons[@]}"; do
  test_python "$python"
done
printf '\n%-18s %-10s %-7s %s\n' interpreter numpy result tests
printf '%s\n' "${rows[@]}"
exit $status
