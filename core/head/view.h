// What a head for another library borrows: its weights, and the labels of a batch.
#pragma once

#include <span>

#include "base/types.h"
#include "learning/loss.h"
#include "weights/weight_view.h"

namespace hashslide {

// One row of weights a class; bias may be null. Nothing is copied or kept.
struct HeadView {
    WeightView weight;
    const float* bias = nullptr;
    Index n_classes = 0;
};

// The labels of example b are ids[begin[b]] .. ids[begin[b + 1] - 1]. weight of a label's positive term:
//   softmax  loss = sum over the labels of weight (log Z - z), so that weights of 1 / (labels of the example) make a
//   mean bce      weight log(1 + exp(-z)) instead of log(1 + exp(z))
struct HeadLabels {
    Index n_examples = 0;
    const Index* begin = nullptr;
    const Index* ids = nullptr;
    const float* weight = nullptr;

    Index size() const { return begin[n_examples]; }
};

}  // namespace hashslide
