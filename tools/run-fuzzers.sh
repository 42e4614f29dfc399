#!/usr/bin/env bash
# Runs each fuzzer in the given build folder for FUZZ_SECONDS; a crash stops with its input's path.
# Corpora grow in build/fuzz-corpus and start from tests/fuzz/corpus/<name>, where there is one.
set -euo pipefail

build=${1:?usage: run-fuzzers.sh BUILD_FOLDER}
seconds=${FUZZ_SECONDS:-60}
for fuzzer in "$build"/*_fuzz; do
  [ -x "$fuzzer" ] || { echo "run-fuzzers.sh: no fuzzers in $build" >&2; exit 1; }
  name=$(basename "$fuzzer")
  corpus=build/fuzz-corpus/$name
  mkdir -p "$corpus"
  seeds=tests/fuzz/corpus/${name%_fuzz}
  [ -d "$seeds" ] || seeds=
  echo "== $name, $seconds s"
  "$fuzzer" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build/$name-" \
    "$corpus" ${seeds:+"$seeds"}
done
