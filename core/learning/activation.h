// Functions of hidden units.
#pragma once

#include "base/types.h"

namespace hashslide {

enum class Activation { identity, relu, tanh };

// a = activation(z), in place.
void activate(Activation activation, Index n, float* z);

// gradient *= activation'(z), written in terms of a = activation(z) times `scale`.
void activation_backward(Activation activation, Index n, const float* a, float scale, float* gradient);

}  // namespace hashslide
