#!/usr/bin/env bash
# Installs the Debian packages that building and testing need and this system lacks. With everything in
# place it does nothing and needs no rights. Where it can't install, it prints the line to run and stops.
#
#   tools/setup-system.sh [build|test|fuzz]    (test includes build)
set -euo pipefail

purpose=${1:-build}
python=${PYTHON:-python3}
packages=(
  g++ cmake ninja-build ca-certificates
  libnghttp2-dev libboost-dev libsimdjson-dev libprotobuf-dev protobuf-compiler libspdlog-dev zlib1g-dev libyaml-dev libssl-dev
)
case $purpose in
  build) ;;
  test) packages+=(libgtest-dev curl libb64-0d git) ;;
  fuzz) packages+=(libgtest-dev clang) ;;
  *) echo "setup-system.sh: expected build, test or fuzz, got $purpose" >&2; exit 2 ;;
esac

# The interpreter counts by what it can do, not by where it came from.
if ! command -v "$python" >/dev/null; then
  packages+=(python3 python3-venv python3-dev)
else
  "$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
    packages+=(python3-dev)
fi

if ! command -v dpkg-query >/dev/null; then
  echo "This script knows Debian and its relatives. Install the equivalents of: ${packages[*]}" >&2
  echo "Then run make with SYSTEM_READY=1." >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  run=(sh -c)
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  run=(sudo sh -c)
else
  echo "Some system packages are missing and this user can't install them. Run as root:" >&2
  echo "  $install" >&2
  exit 1
fi
echo "Installing system packages: ${missing[*]}"
if ! DEBIAN_FRONTEND=noninteractive "${run[@]}" "$install"; then
  echo "That failed. Run as root, then call make again:" >&2
  echo "  $install" >&2
  exit 1
fi
