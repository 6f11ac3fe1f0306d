#include "sparse/label_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/interrupt.h"
#include "base/prefetch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// Calls f(feature, margin, association) for the union of two lists.
template <class F>
void merge(const LabelWeights::OfLabel& margins, const LabelWeights::OfLabel& associations, F&& f) {
    auto m = margins.begin();
    auto a = associations.begin();
    while (m != margins.end() || a != associations.end()) {
        const bool has_margin = m != margins.end() && (a == associations.end() || m->first <= a->first);
        const bool has_association = a != associations.end() && (m == margins.end() || a->first <= m->first);
        f(has_margin ? m->first : a->first, has_margin ? m->second : 0.0f, has_association ? a->second : 0.0f);
        if (has_margin) ++m;
        if (has_association) ++a;
    }
}

}  // namespace

LabelWeights::LabelWeights(std::vector<OfLabel>&& margins, std::vector<OfLabel>&& associations)
    : LabelWeights(std::ssize(margins)) {
    for (std::size_t label = 0; label < margins.size(); ++label) {
        poll();
        begin[label + 1] = begin[label];
        merge(margins[label], associations[label], [&](Id, float, float) { ++begin[label + 1]; });
    }
    const Index n = begin[n_labels()];
    features = Array<Id>(n);
    margin = Array<Bf16>(n);
    association = Array<Bf16>(n);
    for (std::size_t label = 0; label < margins.size(); ++label) {
        poll();
        Index entry = begin[label];
        merge(margins[label], associations[label], [&](Id feature, float of_margin, float of_association) {
            features[entry] = feature;
            kernels().narrow(1, &of_margin, &margin[entry]);
            kernels().narrow(1, &of_association, &association[entry++]);
        });
        OfLabel().swap(margins[label]);
        OfLabel().swap(associations[label]);
    }
}

Index LabelWeights::find(Id label, Id feature) const {
    const Id *first = features.data() + begin[label], *last = features.data() + begin[label + 1];
    const Id* entry = std::lower_bound(first, last, feature);
    return entry != last && *entry == feature ? entry - features.data() : -1;
}

namespace {

// The last of n >= 1 features that is not larger than the id, or the first, for each of some ids: all searches take a
// step before any takes the next one, without a branch, so that their reads of memory overlap.
void search(Index n, const Id* features, std::span<const Id> ids, std::uint32_t* places) {
    std::fill_n(places, ids.size(), 0u);
    for (auto left = static_cast<std::uint32_t>(n); left > 1;) {
        const std::uint32_t half = left / 2;
        for (std::size_t j = 0; j < ids.size(); ++j)
            places[j] += half & -static_cast<std::uint32_t>(features[places[j] + half] <= ids[j]);
        left -= half;
    }
}

}  // namespace

void LabelWeights::sums(std::span<const Id> wanted, std::span<const Id> ids, const float* x, float* margins,
                        float* associations) const {
    thread_local std::vector<std::uint32_t> places;
    places.resize(ids.size());
    const auto is_searched = [&](Index n) {
        return std::ssize(ids) * static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(n))) < n;
    };
    const auto fetch = [&](Id label) {
        const Index first = begin[label], n = begin[label + 1] - first;
        prefetch(features.data() + first, n);
        if (is_searched(n)) return;
        prefetch(margin.data() + first, n);
        prefetch(association.data() + first, n);
    };
    for (const Id label : wanted) prefetch(begin.data() + label, 2);
    if (!wanted.empty()) fetch(wanted[0]);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (i + 1 < wanted.size()) fetch(wanted[i + 1]);
        const Index first = begin[wanted[i]], n = begin[wanted[i] + 1] - first;
        const Id* of_list = features.data() + first;
        const Bf16 *of_margins = margin.data() + first, *of_associations = association.data() + first;
        margins[i] = associations[i] = 0;
        if (is_searched(n)) {
            search(n, of_list, ids, places.data());
            for (std::size_t j = 0; j < ids.size(); ++j) {
                if (of_list[places[j]] != ids[j]) continue;
                margins[i] += widened(of_margins[places[j]]) * x[ids[j]];
                associations[i] += widened(of_associations[places[j]]) * std::abs(x[ids[j]]);
            }
        } else {
            kernels().sparse_dots(n, of_list, of_margins, of_associations, x, &margins[i], &associations[i]);
        }
    }
}

void LabelWeights::grow(Index n_new) {
    const Index n_old = n_labels();
    begin.resize(n_new + 1);
    std::fill(begin.data() + n_old + 1, begin.data() + n_new + 1, begin[n_old]);
}

void LabelWeights::append(Id first, const CsrView& x, std::span<const float> scale) {
    Index to = features.size();
    begin.own();
    features.resize(to + x.indptr[x.n_rows]);
    margin.resize(features.size());
    association.resize(features.size());
    for (Index row = 0; row < x.n_rows; ++row) {
        for (Index i = x.indptr[row]; i < x.indptr[row + 1]; ++i, ++to) {
            const float of_pair = scale[row] * x.data[i];
            features[to] = x.indices[i];
            kernels().narrow(1, &of_pair, &margin[to]);
        }
        begin[first + row + 1] = to;
    }
}

// In place: what is kept moves towards the front.
void LabelWeights::drop(Array<Bf16>& dropped) {
    Array<Bf16>& other = &dropped == &margin ? association : margin;
    Index n_kept = 0, entry = 0;
    for (Index label = 0; label < n_labels(); ++label) {
        poll();
        for (; entry < begin[label + 1]; ++entry) {
            if (other[entry] == 0) continue;
            features[n_kept] = features[entry];
            other[n_kept++] = other[entry];
        }
        begin[label + 1] = n_kept;
    }
    features.resize(n_kept);
    other.resize(n_kept);
    dropped = Array<Bf16>(n_kept);
}

}  // namespace hashslide
