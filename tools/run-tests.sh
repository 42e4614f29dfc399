#!/usr/bin/env bash
# Every test, each with its runner's own summary; goes on after a failure and tells at the end what failed.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
report=()
step() {
  local name=$1 started=$SECONDS
  printf '\n=== %s ===\n' "$name"
  shift
  if "$@"; then
    report+=("passed  $((SECONDS - started)) s  $name")
  else
    report+=("FAILED  $((SECONDS - started)) s  $name")
    failed+=("$name")
  fi
}

make --no-print-directory install || exit 1
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
