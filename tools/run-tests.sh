#!/usr/bin/env bash
# Every test, each with its runner's own summary; goes on after a failure and tells at the end what failed.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
report=()
TIMEFORMAT='%U + %S'
step() {
  local name=$1 started=$SECONDS outcome=passed cpu
  printf '\n=== %s ===\n' "$name"
  shift
  # What `time` says of the step's processes is all that goes into `cpu`.
  { cpu=$({ time "$@" >&3 2>&4; } 2>&1) || outcome=FAILED; } 3>&1 4>&2
  [ $outcome = passed ] || failed+=("$name")
  report+=("$outcome  $((SECONDS - started)) s, CPU $cpu s  $name")
}

step "build and installation" make --no-print-directory install
[ ${#failed[@]} -eq 0 ] || exit 1
step "C++ unit tests" make --no-print-directory test-cpp
step "Python unit tests" make --no-print-directory test-python
step "end-to-end tests" make --no-print-directory test-e2e
step "lint" make --no-print-directory lint
step "ASan and UBSan: C++ unit tests" make --no-print-directory test-asan
step "TSan: C++ unit tests" make --no-print-directory test-tsan

printf '\n=== summary ===\n'
printf '%s\n' "${report[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi
