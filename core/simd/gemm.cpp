#include "simd/gemm.h"

#include <cstdint>

// The packaged library prefixes its symbols and uses 32-bit dimensions; our tiles are far below that.
extern "C" {
void scipy_cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);
void scipy_openblas_set_num_threads(int n);
char* scipy_openblas_get_config();
}

namespace hashslide {
namespace {

constexpr int row_major = 101, plain = 111, transposed = 112;

void gemm(int trans_a, int trans_b, Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb,
          float beta, float* c, Index ldc) {
    static const bool single_threaded = (scipy_openblas_set_num_threads(1), true);
    (void)single_threaded;
    scipy_cblas_sgemm(row_major, trans_a, trans_b, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f,
                      a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
}

}  // namespace

void gemm_nn(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc) {
    gemm(plain, plain, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

void gemm_nt(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc) {
    gemm(plain, transposed, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

void gemm_tn(Index m, Index n, Index k, const float* a, Index lda, const float* b, Index ldb, float beta, float* c,
             Index ldc) {
    gemm(transposed, plain, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

const char* gemm_library() { return scipy_openblas_get_config(); }

}  // namespace hashslide
