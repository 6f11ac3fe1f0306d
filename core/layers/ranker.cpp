#include "layers/ranker.h"

#include <algorithm>
#include <cmath>

namespace hashslide {

float inverse_length(std::span<const float> values) {
    double squares = 0;
    for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
    return squares > 0 ? static_cast<float>(1.0 / std::sqrt(squares)) : 0.0f;
}

// O(features * ranked * log of a list's length): the shorter of the two lists is looked up in the longer one. Margins
// are added up in the order of the features.
void Ranker::rank(std::span<const Id> ids, std::span<const float> values, std::vector<Hit>& hits) const {
    if (labels.size() == 0) return;
    const auto last = hits.begin() + std::min<Index>(ranked, std::ssize(hits));
    std::sort(hits.begin(), last, [](const Hit& a, const Hit& b) { return a.label < b.label; });
    const std::vector<Hit>::size_type n = static_cast<std::size_t>(last - hits.begin());
    thread_local std::vector<float> margins;
    margins.assign(n, 0.0f);
    const float scale = inverse_length(values);
    const auto is_before = [](const Hit& hit, Id label) { return hit.label < label; };
    for (std::size_t j = 0; j < ids.size(); ++j) {
        const Id *entry = labels.data() + begin[ids[j]], *end = labels.data() + begin[ids[j] + 1];
        const auto add = [&](std::size_t i, const Id* found) {
            margins[i] += scale * values[j] * weight[found - labels.data()];
        };
        if (end - entry < static_cast<std::ptrdiff_t>(n)) {
            auto hit = hits.begin();
            for (; entry != end; ++entry) {
                hit = std::lower_bound(hit, last, *entry, is_before);
                if (hit == last) break;
                if (hit->label == *entry) add(static_cast<std::size_t>(hit - hits.begin()), entry);
            }
        } else {
            for (std::size_t i = 0; i < n; ++i) {
                entry = std::lower_bound(entry, end, hits[i].label);
                if (entry == end) break;
                if (*entry == hits[i].label) add(i, entry);
            }
        }
    }
    for (std::size_t i = 0; i < n; ++i) hits[i] = hashslide::ranked(hits[i].score + margins[i], hits[i].label);
    std::sort(hits.begin(), hits.end());
}

float Ranker::margin_of(std::span<const Id> ids, std::span<const float> values, Id label) const {
    const float scale = inverse_length(values);
    float sum = 0;
    for (std::size_t j = 0; j < ids.size(); ++j) {
        const Id *first = labels.data() + begin[ids[j]], *last = labels.data() + begin[ids[j] + 1];
        const Id* entry = std::lower_bound(first, last, label);
        if (entry != last && *entry == label) sum += scale * values[j] * weight[entry - labels.data()];
    }
    return sum;
}

void Ranker::grow_features(Index n_features) {
    const Index n_old = begin.size() - 1;
    begin.resize(n_features + 1);
    std::fill(begin.data() + n_old + 1, begin.data() + n_features + 1, begin[n_old]);
}

}  // namespace hashslide
