#include "weights/weights.h"

#include <cmath>
#include <vector>

#include "base/parallel.h"

namespace hashslide {

void Weights::draw(Index first, Index last, float deviation, const CounterRng& rng) {
    const FlushDenormals flush;
    const float range = deviation * std::sqrt(12.0f);  // of the uniform distribution with that standard deviation
    const Index grain = std::max<Index>(1, (1 << 16) / width_);
    parallel_for(available_cpus(), first, last, grain, [&](Index begin, Index end) {
        std::vector<float> row(width_);
        for (Index r = begin; r < end; ++r) {
            const std::uint64_t index = static_cast<std::uint64_t>(r * width_);
            for (Index i = 0; i < width_; ++i) row[i] = range * (rng.uniform(index + i) - 0.5f);
            set(r, row.data());
        }
    });
}

}  // namespace hashslide
