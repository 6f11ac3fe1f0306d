#include "ranking/associations.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"

namespace hashslide {
namespace {

double weight_of(std::span<const float> sample_weight, Index row) {
    return sample_weight.empty() ? 1.0 : static_cast<double>(sample_weight[row]);
}

// Calls f(feature) for the features that a row has: those whose values are not 0.
template <class F>
void each_feature(const CsrInput& x, Index row, F&& f) {
    x.each(row, [&](Id feature, Index entry) {
        if (x.value(entry) != 0) f(feature);
    });
}

}  // namespace

std::vector<double> feature_counts(const CsrInput& x, Index n_features, std::span<const float> sample_weight) {
    std::vector<double> counts(n_features);
    for (Index row = 0; row < x.n_rows(); ++row) {
        poll();
        const double weight = weight_of(sample_weight, row);
        each_feature(x, row, [&](Id feature) { counts[feature] += weight; });
    }
    return counts;
}

LabelWeights::OfLabel Associations::of(const CsrInput& x, std::span<const HardPairs::Pair> pairs,
                                       std::span<const double> feature_counts, std::span<const float> sample_weight,
                                       Index longest) {
    double n_label = 0;
    met_.clear();
    for (const HardPairs::Pair pair : pairs) {
        const double weight = weight_of(sample_weight, pair.row());
        if (!pair.is_true() || weight == 0) continue;
        n_label += weight;
        each_feature(x, pair.row(), [&](Id feature) {
            if (counts_[feature] == 0) met_.push_back(feature);
            counts_[feature] += weight;
        });
    }
    LabelWeights::OfLabel found;
    found.reserve(met_.size());
    for (const Id feature : met_) {
        const double cosine = counts_[feature] / std::sqrt(feature_counts[feature] * n_label);
        found.emplace_back(feature, static_cast<float>(cosine));
        counts_[feature] = 0;
    }
    if (std::ssize(found) > longest) {
        std::nth_element(found.begin(), found.begin() + longest, found.end(), [](const auto& a, const auto& b) {
            return a.second != b.second ? a.second > b.second : a.first < b.first;
        });
        found.resize(longest);
        found.shrink_to_fit();
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace hashslide
