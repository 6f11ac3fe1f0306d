// The layers from the features to the logits, z = h W^T + b + ranker: what training changes and prediction reads.
#pragma once

#include "layers/hidden_stack.h"
#include "layers/ranker.h"
#include "output/output_layer.h"

namespace hashslide {

struct Model {
    HiddenStack hidden;
    OutputLayer output;
    Ranker ranker;

    Index n_labels() const { return output.n_labels(); }
    Index width() const { return output.width(); }  // of the last hidden layer
};

}  // namespace hashslide
