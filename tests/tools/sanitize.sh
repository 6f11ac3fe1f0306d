#!/usr/bin/env bash
# Run tests with a core that reports its own faults: sanitize.sh address|thread [arguments of pytest]; see
# docs/how/robustness.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=$1
shift
python=${PYTHON:-.venv/bin/python}
folder=$PWD/build/sanitize-$kind
reports=$folder/report
case $kind in
address)
    sanitizers=address,undefined library=libasan.so
    # Python does not free what lives until it ends.
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:log_path=$reports PYTHONMALLOC=malloc
    export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports
    ;;
thread)
    sanitizers=thread library=libtsan.so
    export TSAN_OPTIONS=halt_on_error=0:history_size=4:die_after_fork=0:detect_deadlocks=0:log_path=$reports
    TSAN_OPTIONS+=:suppressions=$PWD/tests/tools/sanitize_thread.txt
    # A fork takes the locks of all models; the detector of deadlocks ends at 64.
    export OPENBLAS_NUM_THREADS=1 # NumPy's own threads synchronise in a library that is not instrumented
    set -- "$@" -k "not hogwild" # whose workers update shared weights without locks: that is the algorithm
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
rm -f "$reports".*
runtime=$(${CXX:-c++} -print-file-name=$library):$(${CXX:-c++} -print-file-name=libstdc++.so)
status=0
env PYTHONPATH="$folder/package" LD_PRELOAD="$runtime" "$python" -m pytest -p no:cacheprovider -q \
    -m "not memory_of_the_process" "$@" || status=$?
if cat "$reports".* 2>/dev/null; then
    echo "The sanitizer has found the faults above."
    exit 1
fi
exit $status
