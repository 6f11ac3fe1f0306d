#include "distributed/row_sums.h"

#include "distributed/compact_ids.h"
#include "simd/kernels.h"

namespace hashslide {

RowSums sum_rows(std::span<const PushedRows> parts, Index width) {
    CompactIds places;
    std::vector<Id> place;
    for (const PushedRows& part : parts)
        for (const Id id : part.ids) place.push_back(places.insert(id));
    RowSums out{places.ids(), std::vector<float>(static_cast<std::size_t>(places.size() * width), 0.0f)};
    auto at = place.begin();
    for (const PushedRows& part : parts)
        for (std::size_t i = 0; i < part.ids.size(); ++i)
            kernels().axpy(width, 1.0f, part.gradient + static_cast<Index>(i) * width, out.sums.data() + *at++ * width);
    return out;
}

}  // namespace hashslide
