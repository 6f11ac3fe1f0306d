// A sparse linear classifier of each label over the input features, beside the network (docs/how/ranker.md). The score
// of a label is its logit and its offset; the labels whose sum of the two is among the `ranked` largest of an example
// also get the margin
//     sum over features f of x_f / |x| S[f, l].
// A hidden layer is too narrow to hold which rare feature goes with which rare label; one weight for each pair that
// tells labels apart which the network confuses can. It is learned after the network, from such labels alone
// (core/ranking), so that it has nothing to say of others.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "base/memory.h"
#include "base/types.h"

namespace hashslide {

// 1 / |values|; 0 for a vector of zeros.
float inverse_length(std::span<const float> values);

struct Ranker {
    explicit Ranker(Index n_features = 0) : begin(n_features + 1) {}

    bool enabled() const { return offset.size() > 0; }

    static constexpr Index ranked = 50;

    // Labels of which the best k can be told after rank(): those with a margin may all fall behind k others.
    Index needed(Index k, Index n_labels) const { return enabled() ? std::min(n_labels, k + ranked) : k; }
    // hits: the best labels of an example by logit and offset, best first. Adds the margins and orders them anew.
    void rank(std::span<const Id> ids, std::span<const float> values, std::vector<Hit>& hits) const;

    float offset_of(Id label) const { return enabled() ? offset[label] : 0.0f; }
    // The offsets of the labels first .. last - 1; zeros: at least as many of them.
    const float* offsets(Index first, const std::vector<float>& zeros) const {
        return enabled() ? offset.data() + first : zeros.data();
    }
    // The margin of one label.
    float margin_of(std::span<const Id> ids, std::span<const float> values, Id label) const;

    // New features have empty lists.
    void grow_features(Index n_features);
    // New labels are in no list.
    template <class F>
    void grow_labels(Index n_labels, F&& log_frequency) {
        if (!enabled()) return;
        const Index n_old = offset.size();
        offset.resize(n_labels);
        for (Index label = n_old; label < n_labels; ++label)
            offset[label] = blend[1] * static_cast<float>(log_frequency(static_cast<Id>(label)));
    }

    Array<Index> begin;   // (features + 1,): the list of feature f is begin[f] .. begin[f + 1]
    Array<Id> labels;     // of each entry; ascending within a list
    Array<float> weight;  // S, of each entry
    Array<float> offset;  // of each label; empty: there is no ranker
    Array<float> blend;   // (2,): what the learned margins were multiplied with to give S, and the log frequencies to
                          // give the offsets
};

}  // namespace hashslide
