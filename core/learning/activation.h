// Functions of hidden units.
#pragma once

#include "base/types.h"

namespace hashslide {

enum class Activation { identity, relu, tanh };

// a = activation(z), in place.
void activate(Activation activation, Index n, float* z);

// gradient *= activation'(z), written in terms of a = activation(z) times `scale`.
void activation_backward(Activation activation, Index n, const float* a, float scale, float* gradient);

// What a dense layer makes of an example: h = s a, with a = activation(z) and s = length / sqrt(|a|^2 + softness^2
// length^2), so that an example of which little is known stays short. One without features, of which nothing is known,
// has length 0: the biases of the labels alone rank them.
struct UnitFunction {
    Activation activation;
    float length;  // 0: s = 1, always
    float softness;

    // In place. Returns s.
    float forward(Index n, bool has_features, float* z) const;
    // From dLoss/dh to dLoss/dz, in place. s: of forward.
    void backward(Index n, float s, const float* h, float* gradient) const;
};

}  // namespace hashslide
