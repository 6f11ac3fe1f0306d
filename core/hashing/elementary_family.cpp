#include "hashing/elementary_family.h"

#include <algorithm>

#include "base/scratch.h"
#include "hashing/multi_probe.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr int slot = 100;  // callers may keep the vectors in a slot of their own

}  // namespace

ElementaryFamily::ElementaryFamily(const ElementaryConfig& config)
    : HashFamily(config.width, config.tables, 0),
      codes_(config.tables, config.hashes, config.bits, config.neurons),
      stream_(config.stream),
      seed_(config.seed) {
    n_buckets_ = codes_.n_buckets();
}

void ElementaryFamily::draw(std::uint64_t round, int n_threads) {
    const CounterRng rng(seed_, stream_, round);
    codes_.draw(rng);
    draw_hashes(rng, n_threads);
}

void ElementaryFamily::hash(const Vectors& vectors, Id* buckets) const {
    std::vector<Id> values(n_hashes() * lanes);
    std::vector<std::uint64_t> sums(n_tables() * lanes);
    for (Index begin = 0; begin < vectors.n; begin += lanes) {
        const Index size = std::min(lanes, vectors.n - begin);
        hash_block(vectors.part(begin, begin + size), values.data());
        codes_.combine(values.data(), sums.data());
        for (Index i = 0; i < size; ++i)
            for (Index t = 0; t < n_tables(); ++t)
                buckets[(begin + i) * n_tables() + t] = codes_.bucket(sums[t * lanes + i]);
    }
}

void ElementaryFamily::probe(const Vectors& queries, Index probes, Id* buckets) const {
    std::vector<Id> values(n_hashes() * lanes), seconds(n_hashes() * lanes);
    std::vector<float> gaps(n_hashes() * lanes);
    std::vector<std::uint64_t> sums(n_tables() * lanes);
    MultiProbe multi_probe(codes_);
    for (Index begin = 0; begin < queries.n; begin += lanes) {
        const Index size = std::min(lanes, queries.n - begin);
        probe_block(queries.part(begin, begin + size), values.data(), seconds.data(), gaps.data());
        codes_.combine(values.data(), sums.data());
        for (Index i = 0; i < size; ++i)
            for (Index t = 0; t < n_tables(); ++t)
                multi_probe(t, sums[t * lanes + i], values.data() + i, seconds.data() + i, gaps.data() + i, lanes,
                            probes, buckets + ((begin + i) * n_tables() + t) * probes);
    }
}

float* transposed(const Vectors& vectors, float zero) {
    float* out = scratch<slot>(vectors.width * lanes);
    if (!vectors.sparse) {
        kernels().transpose(vectors.n, vectors.width, vectors.values, zero, out);
        return out;
    }
    std::fill_n(out, vectors.width * lanes, zero);
    for (Index i = 0; i < vectors.n; ++i)
        for (Index e = vectors.begin[i]; e < vectors.begin[i + 1]; ++e)
            if (vectors.values[e] != 0.0f) out[vectors.ids[e] * lanes + i] = vectors.values[e];
    return out;
}

}  // namespace hashslide
