#include "ranking/learn_ranker.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/parallel.h"
#include "base/rng.h"
#include "ranking/associations.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index label_grain = 16;
constexpr Index row_grain = 1024;

// What learns one label, with memory in proportion to all features.
struct Learner {
    explicit Learner(Index n_features) : margins(n_features), associations(n_features) {}
    CoordinateDescent margins;
    Associations associations;
};

// One learner for each thread that is at work.
class Learners {
public:
    explicit Learners(Index n_features) : n_features_(n_features) {}

    template <class F>
    void borrow(F&& f) {
        std::unique_ptr<Learner> learner;
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                learner = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (!learner) learner = std::make_unique<Learner>(n_features_);
        f(*learner);
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(learner));
    }

private:
    Index n_features_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Learner>> idle_;
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

}  // namespace

Ranker learn_ranker(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels,
                    std::span<const Id> candidates, const float* sample_weight, std::span<const float> label_weight,
                    const RankerSettings& settings, std::uint64_t seed, int n_threads) {
    const Index k = y.n_rows() > 0 ? std::ssize(candidates) / y.n_rows() : 0;
    const HardPairs pairs(y, candidates, k, n_labels);
    const std::vector<float> scale = inverse_lengths(x, n_threads);
    const std::span<const float> row_weight(sample_weight,
                                            sample_weight ? static_cast<std::size_t>(x.n_rows()) : std::size_t{0});
    const RankedExamples examples{x, scale, row_weight};
    const std::vector<double> counts = feature_counts(x, n_features, row_weight);
    std::vector<LabelWeights::OfLabel> margins(n_labels), associations(n_labels);
    Ranker ranker(n_features, n_labels);
    ranker.bias = Array<float>(n_labels);
    Learners learners(n_features);
    parallel_for(n_threads, 0, n_labels, label_grain, [&](Index first, Index last) {
        learners.borrow([&](Learner& learner) {
            for (Index label = first; label < last; ++label) {
                const std::span<const HardPairs::Pair> of_label = pairs.of(static_cast<Id>(label));
                const float true_weight = label_weight.empty() ? 1.0f : label_weight[label];
                LabelClassifier found = learner.margins.solve(examples, of_label, true_weight, settings,
                                                              mix(seed ^ static_cast<std::uint64_t>(label)));
                margins[label] = std::move(found.weights);
                ranker.bias[label] = found.bias;
                associations[label] = learner.associations.of(x, of_label, counts, row_weight, settings.longest);
            }
        });
    });
    ranker.weights = LabelWeights(std::move(margins), std::move(associations));
    return ranker;
}

void update_ranker(Ranker& ranker, const CsrInput& x, const CsrInput& y, std::span<const Id> candidates,
                   const RankerSettings& settings, const CounterRng& rounding) {
    LabelWeights& weights = ranker.weights;
    if (weights.empty() || y.n_rows() == 0) return;
    const Index k = std::ssize(candidates) / y.n_rows();
    const float slack = 0.5f / settings.cost;
    std::vector<Id> own;
    std::vector<float> values;
    std::vector<Id> entries;     // places in the label's list of those of the row's features that are in it
    std::vector<float> margins;  // of these
    std::vector<float> x_of;     // values of the features
    const auto step = [&](Index row, float scale, Id label, float sign) {
        entries.clear();
        margins.clear();
        x_of.clear();
        Bf16* stored = weights.margin.data() + weights.begin[label];
        float sum = ranker.bias[label];
        x.each(row, [&](Id feature, Index i) {
            const Index entry = weights.find(label, feature);
            if (entry < 0 || weights.margin[entry] == 0) return;
            entries.push_back(static_cast<Id>(entry - weights.begin[label]));
            margins.push_back(widened(weights.margin[entry]));
            x_of.push_back(x.value(i) * scale);
            sum += margins.back() * x_of.back();
        });
        const float loss = 1.0f - sign * sum;
        if (loss <= 0) return;
        const Index n = std::ssize(entries);
        kernels().axpy(n, sign * loss / (1.0f + slack), x_of.data(), margins.data());
        const auto pair = static_cast<std::uint64_t>(row * weights.n_labels() + label);
        kernels().narrow_entries_randomly(n, entries.data(), margins.data(), rounding.bits(pair), stored);
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
