// Everything that fixes a network's shape and its training step.
#pragma once

#include <cstdint>
#include <vector>

#include "layers/hidden_layer.h"
#include "learning/loss.h"
#include "learning/optimizer.h"
#include "sampling/active_set.h"
#include "sampling/selector.h"

namespace hashslide {

// How several threads train on one batch.
//   owner    each touched row is summed and updated by one thread: the same bits for any number of threads
//   hogwild  each thread takes steps of its own on a part of the batch, on the shared weights and without locks (Niu et
//            al. 2011): what comes out depends on the race
enum class UpdateMode { owner, hogwild };

struct NetworkConfig {
    Index n_features = 1, n_labels = 1;
    std::vector<LayerConfig> hidden{LayerConfig{}};
    LossKind loss = LossKind::bce;
    OptimizerConfig optimizer;
    Precision precision = Precision::float32;  // of the stored weights
    UpdateMode update = UpdateMode::owner;
    float example_power = 0.0f;  // an example's loss is weighted by (mean labels / its labels)^power
    float input_scale = 1.0f;    // all feature values are multiplied by it
    float input_init = 0.05f;    // standard deviation of the weights of a dense first layer; output weights start at 0
    float input_dropout = 0.0f;
    float prior_correction = 1.0f;  // share of log r that is taken off the logits in training (loss.h)
    ActiveSetConfig active;
    SelectorConfig selector;  // of labels for each example; sampler all: none
    std::uint64_t seed = 0;

    Index width() const { return hidden.back().width; }  // of the last hidden layer
    bool samples_labels() const { return selector.sampler.kind != SamplerKind::all; }
};

}  // namespace hashslide
