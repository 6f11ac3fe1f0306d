#!/usr/bin/env bash
# Run tests with a core that reports its own faults: sanitize.sh address|thread [arguments of pytest]; see docs/how/robustness.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=$1
shift
python=${PYTHON:-.venv/bin/python}
folder=build/sanitize-$kind
case $kind in
address)
    sanitizers=address,undefined library=libasan.so
    # Python never frees what lives until it ends; a wrong access ends the process with its place.
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
    ;;
thread)
    sanitizers=thread library=libtsan.so
    export TSAN_OPTIONS=suppressions=$PWD/tests/tools/tsan.supp:halt_on_error=1:history_size=4
    ;;
*)
    echo "usage: $0 address|thread [arguments of pytest]" >&2
    exit 2
    ;;
esac
# The package in a folder of its own, so that neither the checkout nor the environment changes.
"$python" -m pip install --quiet --no-deps --upgrade --target "$folder/package" . \
    --config-settings=build-dir="$folder/build" --config-settings=cmake.build-type=None \
    --config-settings=cmake.define.HASHSLIDE_SANITIZE="$sanitizers"
export PYTHONPATH=$PWD/$folder/package LD_PRELOAD
LD_PRELOAD=$(${CXX:-c++} -print-file-name=$library):$(${CXX:-c++} -print-file-name=libstdc++.so)
"$python" -m pytest -p no:cacheprovider -q "$@"
