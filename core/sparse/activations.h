// What flows from one layer to the next: all units of each example, or only its active ones.
#pragma once

#include <vector>

#include "base/types.h"
#include "sparse/vectors.h"

namespace hashslide {

struct Activations {
    Index n = 0, width = 0;
    bool sparse = false;
    std::vector<Index> begin;        // sparse: the entries of example b are begin[b] .. begin[b + 1]
    std::vector<Id> ids;             // sparse: the unit of each entry
    std::vector<float> values;       // dense: (n, width)
    std::vector<float> gradients;    // dLoss/dvalues, in the same places
    std::vector<float> scales;       // of a dense layer's examples: what UnitFunction::forward returned
    std::vector<char> has_features;  // whether the example has any, below all layers

    Index entries() const { return sparse ? static_cast<Index>(ids.size()) : n * width; }

    void resize_dense(Index examples, Index units) {
        n = examples;
        width = units;
        sparse = false;
        values.resize(n * width);
        gradients.resize(n * width);
    }

    void start_sparse(Index examples, Index units) {
        n = examples;
        width = units;
        sparse = true;
        begin.assign(1, 0);
        ids.clear();
        values.clear();
    }
    // One active unit of the example after the last begin.
    void push(Id unit, float value) {
        ids.push_back(unit);
        values.push_back(value);
    }

    Vectors view() const { return {n, width, sparse, values.data(), begin.data(), ids.data()}; }
};

}  // namespace hashslide
