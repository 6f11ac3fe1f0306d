// Memory of one thread for one query, kept between queries.
#pragma once

#include <span>
#include <vector>

#include "base/best_k.h"

namespace hashslide {

struct CandidateWork {
    static constexpr Id forbidden = -1;

    // Sized to all labels and all 0 between queries: whoever sets an entry resets it.
    std::vector<float> sums;
    std::vector<Id> slots;  // place of a candidate in `candidates` + 1

    std::vector<Id> touched;      // labels with a sum
    std::vector<Id> candidates;   // each once
    std::vector<float> scores;    // scores[i + 1] of candidates[i]; scores[0] collects what is for no candidate
    std::vector<float> products;  // of the query with the candidates
    std::vector<float> hidden;    // activations of the query
    std::vector<Hit> hits;

    void prepare(Index n_labels, Index width) {
        if (static_cast<Index>(sums.size()) < n_labels) {
            sums.resize(n_labels);
            slots.resize(n_labels);
        }
        hidden.resize(width);
        candidates.clear();
    }
    // Labels that are no candidates until they are allowed again.
    void forbid(std::span<const Id> labels) {
        for (const Id label : labels) slots[label] = forbidden;
    }
    void allow(std::span<const Id> labels) {
        for (const Id label : labels) slots[label] = 0;
    }
    bool is_forbidden(Id label) const { return slots[label] == forbidden; }
    void add_candidate(Id label) {
        if (slots[label] != 0) return;
        candidates.push_back(label);
        slots[label] = static_cast<Id>(candidates.size());
    }
    void reset_slots() {
        for (const Id label : candidates) slots[label] = 0;
    }
};

}  // namespace hashslide
