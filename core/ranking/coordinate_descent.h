// The classifier of one label: an L2-regularised linear support vector machine with squared hinge loss,
//     min over w of |w|^2 / 2 + sum over pairs i of c_i max(0, 1 - y_i w.x_i)^2,  |x_i| = 1,
// by dual coordinate descent (Hsieh, Chang, Lin, Keerthi & Sundararajan, ICML 2008), with the large weights kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "ranking/hard_pairs.h"
#include "sparse/label_weights.h"

namespace hashslide {

struct RankerSettings {
    Index candidates = 20;      // of the network for each example
    Index most_candidates = 100;  // where examples are few, which have told the network little
    Index pairs_of_few = Index{1} << 18;  // pairs up to which more candidates than that are looked at
    float cost = 0.5f;          // c of a pair of weight 1
    Index sweeps = 5;           // over the pairs of a label, at most
    float tolerance = 0.1f;     // largest projected gradient at which a label is done before
    float least_share = 0.03f;  // of a label's largest weight: smaller ones are cut
    Index longest = 64;         // weights of a label, and associations, the largest; in a network its width, if larger
    Index examples_of_weight = 4;  // a label of many examples has one weight for so many, if that is more

    Index candidates_of(Index n_examples) const {
        return std::clamp(pairs_of_few / std::max(n_examples, Index{1}), candidates, most_candidates);
    }
};

// w and the bias b of a label: its margin is w . x + b.
struct LabelClassifier {
    LabelWeights::OfLabel weights;
    float bias = 0.0f;
};

// Examples as the solver reads them.
struct RankedExamples {
    const CsrInput& x;
    std::span<const float> scale;   // of each row: 1 / its length
    std::span<const float> weight;  // of each row in the loss; empty: all 1
};

// Memory of one thread; sized to all features, and all 0 between labels.
class CoordinateDescent {
public:
    explicit CoordinateDescent(Index n_features) : w_(n_features) {}

    // true_weight: of the label's true pairs in the loss. Depends on its arguments alone. O(sweeps * entries of the
    // pairs' rows).
    LabelClassifier solve(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs, float true_weight,
                          const RankerSettings& settings, std::uint64_t seed);

private:
    // The rows of all pairs of a label, one after the other: sweeps read each several times, and rows of the matrix
    // lie far apart.
    class Rows {
    public:
        // Copies no more than `most_copied` entries; more are read in place. Rows get length 1.
        void gather(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs);
        // Calls f(feature, value) for the entries of a pair's row, a unit vector.
        template <class F>
        void each(Index pair, F&& f) const {
            if (is_copied_) {
                for (Index i = begin_[pair]; i < begin_[pair + 1]; ++i) f(entries_[i].first, entries_[i].second);
            } else {
                const float scale = examples_->scale[pairs_[pair].row()];
                examples_->x.each(pairs_[pair].row(),
                                  [&](Id feature, Index entry) { f(feature, examples_->x.value(entry) * scale); });
            }
        }

    private:
        static constexpr Index most_copied = Index{1} << 22;
        const RankedExamples* examples_ = nullptr;
        std::span<const HardPairs::Pair> pairs_;
        bool is_copied_ = false;
        std::vector<Index> begin_;  // (pairs + 1,)
        std::vector<std::pair<Id, float>> entries_;
    };

    float step_of_others(float cost);
    float sweep(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs, float true_weight, float cost);
    LabelWeights::OfLabel take(Index n_pairs, Index longest, float least_share);

    std::vector<float> w_;
    float bias_ = 0.0f;
    Rows rows_;
    std::vector<float> alpha_;    // of each pair
    float alpha_of_others_ = 0.0f;
    std::vector<Index> order_;    // of the pairs in a sweep
    std::vector<float> lengths_;  // scratch of take()
};

}  // namespace hashslide
