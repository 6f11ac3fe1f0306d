#include "ranking/learn_ranker.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/parallel.h"
#include "base/rng.h"

namespace hashslide {
namespace {

constexpr Index label_grain = 16;
constexpr Index row_grain = 1024;

// One solver for each thread that is at work, as each has the size of all features.
class Solvers {
public:
    explicit Solvers(Index n_features) : n_features_(n_features) {}

    template <class F>
    void borrow(F&& f) {
        std::unique_ptr<CoordinateDescent> solver;
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                solver = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (!solver) solver = std::make_unique<CoordinateDescent>(n_features_);
        f(*solver);
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(solver));
    }

private:
    Index n_features_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<CoordinateDescent>> idle_;
};

std::vector<float> inverse_lengths(const CsrInput& x, int n_threads) {
    std::vector<float> scale(x.n_rows());
    parallel_for(n_threads, 0, x.n_rows(), row_grain, [&](Index first, Index last) {
        std::vector<float> values;
        for (Index row = first; row < last; ++row) {
            values.clear();
            x.each(row, [&](Id, Index entry) { values.push_back(x.value(entry)); });
            scale[row] = inverse_length(values);
        }
    });
    return scale;
}

// From the weights of each label to the lists of each feature.
Ranker by_feature(std::vector<CoordinateDescent::Weights>& weights, Index n_features) {
    Ranker ranker(n_features);
    for (const auto& of_label : weights)
        for (const auto& [feature, weight] : of_label) ++ranker.begin[feature + 1];
    for (Index f = 0; f < n_features; ++f) ranker.begin[f + 1] += ranker.begin[f];
    ranker.labels = Array<Id>(ranker.begin[n_features]);
    ranker.weight = Array<float>(ranker.begin[n_features]);
    std::vector<Index> next(ranker.begin.data(), ranker.begin.data() + n_features);
    for (std::size_t label = 0; label < weights.size(); ++label) {
        poll();
        for (const auto& [feature, weight] : weights[label]) {
            ranker.labels[next[feature]] = static_cast<Id>(label);
            ranker.weight[next[feature]++] = weight;
        }
        CoordinateDescent::Weights().swap(weights[label]);
    }
    return ranker;
}

}  // namespace

Ranker learn_ranker(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels,
                    std::span<const Id> candidates, const float* sample_weight, std::span<const float> label_weight,
                    const RankerSettings& settings, std::uint64_t seed, int n_threads) {
    const Index k = y.n_rows() > 0 ? std::ssize(candidates) / y.n_rows() : 0;
    const HardPairs pairs(y, candidates, k, n_labels);
    const std::vector<float> scale = inverse_lengths(x, n_threads);
    const RankedExamples examples{
        x, scale, {sample_weight, sample_weight ? static_cast<std::size_t>(x.n_rows()) : std::size_t{0}}};
    std::vector<CoordinateDescent::Weights> weights(pairs.n_labels());
    Solvers solvers(n_features);
    parallel_for(n_threads, 0, pairs.n_labels(), label_grain, [&](Index first, Index last) {
        solvers.borrow([&](CoordinateDescent& solver) {
            for (Index label = first; label < last; ++label)
                weights[label] = solver.solve(examples, pairs.of(static_cast<Id>(label)),
                                              label_weight.empty() ? 1.0f : label_weight[label], settings,
                                              mix(seed ^ static_cast<std::uint64_t>(label)));
        });
    });
    return by_feature(weights, n_features);
}

void update_ranker(Ranker& ranker, const CsrInput& x, const CsrInput& y, std::span<const Id> candidates,
                   const RankerSettings& settings) {
    if (ranker.labels.size() == 0 || y.n_rows() == 0) return;
    const float factor = ranker.blend[0];
    if (factor == 0) return;
    const Index k = std::ssize(candidates) / y.n_rows();
    const float slack = 0.5f / settings.cost;
    std::vector<Id> own;
    std::vector<float> values;
    std::vector<std::pair<Index, float>> entries;  // of the label and the row's features, and the features' values
    const auto step = [&](Index row, float scale, Id label, float sign) {
        entries.clear();
        float margin = 0;
        x.each(row, [&](Id feature, Index i) {
            const Id *first = ranker.labels.data() + ranker.begin[feature],
                     *last = ranker.labels.data() + ranker.begin[feature + 1];
            const Id* found = std::lower_bound(first, last, label);
            if (found == last || *found != label) return;
            entries.emplace_back(found - ranker.labels.data(), x.value(i) * scale);
            margin += ranker.weight[entries.back().first] * entries.back().second / factor;
        });
        const float loss = 1.0f - sign * margin;
        if (loss <= 0) return;
        for (const auto& [entry, value] : entries)
            ranker.weight[entry] += factor * sign * value * loss / (1.0f + slack);
    };
    for (Index row = 0; row < y.n_rows(); ++row) {
        poll();
        values.clear();
        x.each(row, [&](Id, Index i) { values.push_back(x.value(i)); });
        const float scale = inverse_length(values);
        each_pair(y, row, candidates.subspan(row * k, k), own,
                  [&](Id label, bool is_true) { step(row, scale, label, is_true ? 1.0f : -1.0f); });
    }
}

}  // namespace hashslide
