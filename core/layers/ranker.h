// What the input features say directly of a label, beside the network (docs/how/ranker.md). The score of a label is its
// logit and its offset; the labels whose sum of the two is among the `ranked` largest of an example also get
//     margin factor * margin + association factor * log(1 + association / least_association),
// less what that usually is, which is in the offset. The margin is that of a sparse linear classifier of the label, the
// association how often its features occur together with the label (core/ranking): a hidden layer is too narrow to hold
// which rare feature goes with which rare label. Both are learned after the network, from what it confuses, so that
// they have nothing to say of other labels.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "base/memory.h"
#include "base/types.h"
#include "sparse/label_weights.h"

namespace hashslide {

// 1 / |values|; 0 for a vector of zeros.
float inverse_length(std::span<const float> values);

// How much the parts count for a label of frequency f: a factor is max(0, part + part_by_log * log f), what a part
// usually is usual_part + usual_part_by_log * log f, and the offset prior * log f + the sum of factor * usual part.
struct Blend {
    enum Part {
        prior,
        margin,
        margin_by_log,
        usual_margin,
        usual_margin_by_log,
        association,
        association_by_log,
        usual_association,
        usual_association_by_log,
        n_parts
    };
    std::array<float, n_parts> parts{};
    float operator[](Part part) const { return parts[part]; }
};

struct Ranker {
    explicit Ranker(Index n_features = 0, Index n_labels = 0) : n_features(n_features), weights(n_labels) {}

    Index n_labels() const { return weights.n_labels(); }
    bool enabled() const { return offset.size() > 0; }

    static constexpr Index ranked = 50;
    static constexpr float least_association = 0.01f;  // smaller ones differ little from none

    // Labels of which the best k can be told after rank(): those that get more may all fall behind k others.
    Index needed(Index k) const { return enabled() ? std::min(n_labels(), k + ranked) : k; }
    // hits: the best labels of an example by logit and offset, best first. Adds the rest and orders them anew.
    void rank(std::span<const Id> ids, std::span<const float> values, std::vector<Hit>& hits) const;

    float offset_of(Id label) const { return enabled() ? offset[label] : 0.0f; }
    // The offsets of the labels first .. last - 1; zeros: at least as many of them.
    const float* offsets(Index first, const std::vector<float>& zeros) const {
        return enabled() ? offset.data() + first : zeros.data();
    }
    // Of some labels of an example: bias + sum over features f of x_f / |x| S[label, f], and log(1 + association /
    // least_association).
    void parts(std::span<const Id> ids, std::span<const float> values, std::span<const Id> labels, float* margins,
               float* associations) const;
    // Of some labels of an example, what they would get if they were among the best.
    void addends(std::span<const Id> ids, std::span<const float> values, std::span<const Id> labels,
                 float* addends) const;

    // Lets it count; log_frequency(label) of all labels. What counts nothing is not kept.
    template <class F>
    void weigh(const Blend& counts, F&& log_frequency) {
        if (counts[Blend::margin] == 0 && counts[Blend::margin_by_log] == 0) weights.drop(weights.margin);
        if (counts[Blend::association] == 0 && counts[Blend::association_by_log] == 0)
            weights.drop(weights.association);
        blend = Array<float>(Blend::n_parts);
        std::copy(counts.parts.begin(), counts.parts.end(), blend.data());
        set_labels(0, n_labels(), log_frequency);
    }

    // New features and labels are in no list.
    template <class F>
    void grow(Index features, Index labels, F&& log_frequency) {
        n_features = features;
        if (labels == n_labels()) return;
        weights.grow(labels);
        if (enabled()) set_labels(offset.size(), labels, log_frequency);
    }

    // Adds to the last labels, whose lists are empty, `gain` times the cosine of an example and a description: row i of
    // x describes label first + i. What a description usually adds is nothing.
    void describe(Id first, const CsrView& x, float gain);

    Index n_features;
    LabelWeights weights;             // the classifiers S, and the associations
    Array<float> bias;                // of each label's classifier
    Array<float> offset;              // of each label; empty: there is no ranker
    Array<float> usual;               // of each label: what margin and association usually add
    Array<float> margin_factor;       // of each label
    Array<float> association_factor;  // of each label
    Array<float> blend;               // (Blend::n_parts,)

private:
    template <class F>
    void set_labels(Index first, Index last, F&& log_frequency) {
        for (Array<float>* array : {&bias, &offset, &usual, &margin_factor, &association_factor}) array->resize(last);
        for (Index label = first; label < last; ++label) {
            const float log_f = static_cast<float>(log_frequency(static_cast<Id>(label)));
            const auto line = [&](Blend::Part part) { return blend[part] + blend[part + 1] * log_f; };
            if (weights.begin[label] == weights.begin[label + 1]) bias[label] = line(Blend::usual_margin);
            margin_factor[label] = std::max(0.0f, line(Blend::margin));
            association_factor[label] = std::max(0.0f, line(Blend::association));
            usual[label] = margin_factor[label] * line(Blend::usual_margin) +
                           association_factor[label] * line(Blend::usual_association);
            offset[label] = blend[Blend::prior] * log_f + usual[label];
        }
    }
};

}  // namespace hashslide
