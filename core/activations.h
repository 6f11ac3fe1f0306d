// What flows from one layer to the next: all units of each example, or only its active ones.
#pragma once

#include <algorithm>
#include <vector>

#include "types.h"

namespace hashslide {

struct Activations {
    Index n = 0, width = 0;
    bool sparse = false;
    std::vector<Index> begin;      // sparse: the entries of example b are begin[b] .. begin[b + 1]
    std::vector<Id> ids;           // sparse: the unit of each entry
    std::vector<float> values;     // dense: (n, width)
    std::vector<float> gradients;  // dLoss/dvalues, in the same places

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

    // All units of examples first .. last, 0 where not active. out: (last - first, width).
    void read(Index first, Index last, float* out) const {
        if (!sparse) {
            std::copy(values.begin() + first * width, values.begin() + last * width, out);
            return;
        }
        std::fill_n(out, (last - first) * width, 0.0f);
        for (Index b = first; b < last; ++b)
            for (Index e = begin[b]; e < begin[b + 1]; ++e) out[(b - first) * width + ids[e]] = values[e];
    }
};

}  // namespace hashslide
