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
// length^2), so that an example of which little is known stays short. One without features keeps s = 1, the short
// activation of the biases: at full length its direction, which is noise, would outweigh the biases of the labels.
struct UnitFunction {
    Activation activation;
    float length;  // 0: s = 1
    float softness;

    // In place. Returns s, or 0 where h is as it comes.
    float forward(Index n, bool has_features, float* z) const;
    // From dLoss/dh to dLoss/dz, in place. s: of forward.
    void backward(Index n, float s, const float* h, float* gradient) const;
};

}  // namespace hashslide
