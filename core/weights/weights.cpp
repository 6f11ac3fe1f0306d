#include "weights/weights.h"

#include <sys/mman.h>

#include <cmath>
#include <vector>

#include "base/parallel.h"

namespace hashslide {
namespace {

// Only a hint: systems that do not know the request hand out the memory as it is touched.
template <class T>
void occupy(Array<T>& array) {
#ifdef MADV_POPULATE_WRITE
    constexpr Index piece = (Index{32} << 20) / static_cast<Index>(sizeof(T));
    parallel_for(available_cpus(), 0, array.size(), piece, [&](Index first, Index last) {
        ::madvise(array.data() + first, static_cast<std::size_t>(last - first) * sizeof(T), MADV_POPULATE_WRITE);
    });
#endif
}

}  // namespace

void Weights::occupy() { is_single() ? hashslide::occupy(single) : hashslide::occupy(half); }

void Weights::draw(Index first, Index last, float deviation, const CounterRng& rng) {
    const FlushDenormals flush;
    const float range = deviation * std::sqrt(12.0f);  // of the uniform distribution with that standard deviation
    const Index grain = std::max<Index>(1, (1 << 16) / width_);
    parallel_for(available_cpus(), first, last, grain, [&](Index begin, Index end) {
        std::vector<float> row(width_);
        for (Index r = begin; r < end; ++r) {
            const std::uint64_t index = name(r) * static_cast<std::uint64_t>(width_);
            for (Index i = 0; i < width_; ++i) row[i] = range * (rng.uniform(index + i) - 0.5f);
            set(r, row.data());
        }
    });
}

}  // namespace hashslide
