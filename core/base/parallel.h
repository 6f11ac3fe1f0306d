// parallel_for on a pool of std::thread: no OpenMP, so nothing fights with the runtimes of PyTorch or LightGBM.
#pragma once

#include <algorithm>
#include <functional>

#include "base/interrupt.h"
#include "base/types.h"

namespace hashslide {

// CPUs that this process may use: the affinity mask, cut by the quota of its control group (v1 or v2); at least 1.
int available_cpus();

// While it lives, results too small for a normal float are taken as 0 on this thread: arithmetic on denormal numbers,
// which the tails of the sigmoid are full of, is some hundred times slower. The pool's own threads always work like
// this.
class FlushDenormals {
public:
    FlushDenormals();
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;

private:
    unsigned long long saved_;
};

namespace detail {
void run_chunks(int n_threads, Index n_chunks, const std::function<void(Index)>& chunk);
}

// Calls f(first, last) on consecutive pieces of [begin, end) of at most `grain` items, on up to n_threads threads.
// The pieces are the same for any n_threads; which thread runs one is not fixed, so f must own what it writes.
// Nested calls and calls from a second thread at the same time run serially. Between two pieces the call may be
// interrupted. The first exception, on whatever thread, is rethrown once no piece runs any more.
template <class F>
void parallel_for(int n_threads, Index begin, Index end, Index grain, F&& f) {
    if (end <= begin) return;
    const Index n_chunks = (end - begin + grain - 1) / grain;
    const auto chunk = [&](Index i) { f(begin + i * grain, std::min(end, begin + (i + 1) * grain)); };
    if (n_threads <= 1 || n_chunks == 1) {
        for (Index i = 0; i < n_chunks; ++i) {
            poll();
            chunk(i);
        }
    } else {
        detail::run_chunks(n_threads, n_chunks, chunk);
    }
}

}  // namespace hashslide
