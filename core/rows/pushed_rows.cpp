#include "rows/pushed_rows.h"

#include <algorithm>

#include "simd/kernels.h"

namespace hashslide {

GroupedRows::GroupedRows(std::span<const PushedRows> parts, Index width) : parts_(parts), width_(width) {
    std::vector<Id> places;
    for (const PushedRows& part : parts)
        for (const Id id : part.ids) places.push_back(ids_.insert(id));
    begin_.assign(static_cast<std::size_t>(size()) + 1, 0);
    for (const Id place : places) ++begin_[place + 1];
    for (Index i = 0; i < size(); ++i) begin_[i + 1] += begin_[i];
    sources_.resize(places.size());
    std::vector<Index> next(begin_.begin(), begin_.end() - 1);
    auto place = places.begin();
    for (std::size_t part = 0; part < parts.size(); ++part)
        for (std::size_t row = 0; row < parts[part].ids.size(); ++row)
            sources_[next[*place++]++] = {static_cast<Id>(part), static_cast<Id>(row)};
}

const float* GroupedRows::gradient(Index i, float* memory) const {
    const auto at = [&](const Source& source) { return parts_[source.part].gradient + source.row * width_; };
    const std::span<const Source> sources = of(i);
    if (sources.size() == 1) return at(sources.front());
    std::copy_n(at(sources.front()), width_, memory);
    for (const Source& source : sources.subspan(1)) kernels().axpy(width_, 1.0f, at(source), memory);
    return memory;
}

float GroupedRows::bias(Index i) const {
    float sum = 0;
    for (const Source& source : of(i)) sum += parts_[source.part].bias[source.row];
    return sum;
}

}  // namespace hashslide
