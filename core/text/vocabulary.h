// From terms to features: by a table of the hashes, or by the hash itself.
#pragma once

#include <vector>

#include "text/terms.h"

namespace hashslide {

// Arrays that others own. By a table: slot s holds a feature or -1, and hashes[feature] is its term; at most half of
// the slots, whose number is a power of two, are taken. Without a table the feature is hash % n_features.
struct Vocabulary {
    Index n_features = 0;
    const Id* slots = nullptr;
    Index n_slots = 0;
    const TermHash* hashes = nullptr;
    const float* weights = nullptr;  // of each feature, or null: all 1

    // -1: none
    Id feature_of(TermHash hash) const {
        if (!slots) return static_cast<Id>(hash % static_cast<TermHash>(n_features));
        const auto mask = static_cast<TermHash>(n_slots - 1);
        for (TermHash at = hash & mask;; at = (at + 1) & mask) {
            const Id feature = slots[at];
            if (feature < 0 || hashes[feature] == hash) return feature;
        }
    }
};

// The slots of a table for these hashes.
std::vector<Id> slots_of(const TermHash* hashes, Index n);

// Whether lookups in a table end, and at features that there are.
bool is_table(const Id* slots, Index n_slots, Index n_features);

}  // namespace hashslide
