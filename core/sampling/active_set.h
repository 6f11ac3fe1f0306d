// Step 3: which neurons take part in a batch. Candidates come from named sources; the union is one set for the batch.
#pragma once

#include <span>
#include <vector>

#include "base/id_map.h"
#include "base/prefetch.h"
#include "base/rng.h"

namespace hashslide {

struct ActiveSetConfig {
    bool per_example = false;  // a set for each example instead of one for the batch (Chen et al. 2020)
    bool in_batch = true;      // per_example: the labels of a batch are active for all its examples
    Index uniform = 0;         // draws with replacement from all labels, for each batch
    Index popular = 0;         // the most frequent labels, in every set
};

// How often each label occurred, and so how likely it is to be active.
class LabelPrior {
public:
    explicit LabelPrior(Index n_labels = 0) : LabelPrior(n_labels, n_labels) {}
    // Of some of n_all labels, from all of which uniform draws are taken.
    LabelPrior(Index n_labels, Index n_all) : counts_(static_cast<std::size_t>(n_labels), 0), n_all_(n_all) {}

    void grow(Index n_labels) {
        counts_.resize(static_cast<std::size_t>(n_labels), 0);
        n_all_ = n_labels;
    }
    void set(const Index* counts, Index n_examples, Index n_popular);
    // Other counts of some labels, each once, among more examples. O(labels).
    void update(std::span<const Id> labels, const Index* counts, Index n_examples, Index n_popular);

    // Share of the examples that carry the label, add-half smoothed: (count + 1/2) / (n + 1).
    double frequency(Id label) const;
    float mean_labels() const;                              // of an example; 1 before set()
    Index n_occurrences() const { return n_occurrences_; }  // of all labels
    const std::vector<Id>& popular() const { return popular_; }
    const std::vector<Index>& counts() const { return counts_; }
    Index n_examples() const { return n_examples_; }

    void prefetch(Id label) const { hashslide::prefetch(counts_.data() + label); }
    // log of the probability that the label comes with one of `others` random examples or is among `uniform` draws from
    // all labels: r = 1 - (1 - f)^others (1 - 1/n_all)^uniform.
    float log_inclusion(Id label, Index others, Index uniform) const;

private:
    // Leaves the most frequent of the candidates, each of which is there once.
    void choose_popular(std::vector<Id> candidates, Index n_popular);

    std::vector<Index> counts_;
    Index n_all_;
    std::vector<Id> popular_;
    Index n_examples_ = 0, n_occurrences_ = 0;
};

class ActiveSet {
public:
    explicit ActiveSet(Index n_labels = 0) : map_(n_labels) {}

    // Starts a new set with labels that are in every set.
    void start(const std::vector<Id>& certain);
    // labels[begin[b]] .. are those of example b.
    void add_true_labels(std::span<const Index> begin, std::span<const Id> labels);
    void add_uniform(Index draws, Index n_labels, const CounterRng& rng);
    void add(const std::vector<Id>& labels);

    Index n_certain() const { return n_certain_; }  // positions 0 .. n_certain - 1
    Index size() const { return map_.size(); }
    const std::vector<Id>& ids() const { return map_.ids(); }
    bool contains(Id label) const { return map_.contains(label); }
    Id position(Id label) const { return map_.position(label); }

    // The true labels of example b of the batch are at the positions targets()[target_begin()[b] ..].
    const std::vector<Index>& target_begin() const { return target_begin_; }
    const std::vector<Id>& targets() const { return targets_; }
    std::span<const Id> targets_of(Index b) const {
        return {targets_.data() + target_begin_[b], targets_.data() + target_begin_[b + 1]};
    }

private:
    IdMap map_;
    Index n_certain_ = 0;
    std::vector<Index> target_begin_;
    std::vector<Id> targets_;
};

}  // namespace hashslide
