// Memory of one thread for one query, kept between queries.
#pragma once

#include <span>
#include <vector>

#include "base/best_k.h"

namespace hashslide {

struct CandidateWork {
    enum class Mark : char { none, candidate, forbidden };

    // Sized to all labels and all 0 between queries: whoever sets an entry resets it.
    std::vector<float> sums;
    std::vector<Mark> marks;

    std::vector<Id> touched;      // labels with a sum
    std::vector<Id> candidates;   // each once
    std::vector<float> scores;    // of the query with the centres of the cells
    std::vector<float> products;  // of the query with the candidates
    std::vector<float> hidden;    // activations of the query
    std::vector<Hit> hits;

    void prepare(Index n_labels, Index width) {
        if (static_cast<Index>(sums.size()) < n_labels) {
            sums.resize(n_labels);
            marks.resize(n_labels);
        }
        hidden.resize(width);
        candidates.clear();
    }
    // Labels that are no candidates until they are allowed again.
    void forbid(std::span<const Id> labels) {
        for (const Id label : labels) marks[label] = Mark::forbidden;
    }
    void allow(std::span<const Id> labels) {
        for (const Id label : labels) marks[label] = Mark::none;
    }
    bool is_forbidden(Id label) const { return marks[label] == Mark::forbidden; }
    void add_candidate(Id label) {
        if (marks[label] != Mark::none) return;
        candidates.push_back(label);
        marks[label] = Mark::candidate;
    }
    void reset_marks() { allow(candidates); }
};

}  // namespace hashslide
