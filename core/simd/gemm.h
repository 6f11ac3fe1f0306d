// Single-precision matrix products of the OpenBLAS that SciPy's developers package, always on the calling thread:
// the parallelism is ours, so that a product's result never depends on the number of threads.
#pragma once

#include "base/types.h"

namespace hashslide {

// Row-major; ld* is the distance between two rows. C = A B + beta C with A (m, k), B (k, n), C (m, n);
// _nt takes B as (n, k), _tn takes A as (k, m).
void gemm_nn(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc);
void gemm_nt(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc);
void gemm_tn(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc);

const char* gemm_library();  // name and configuration, for build_info()

}  // namespace hashslide
