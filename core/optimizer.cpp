#include "optimizer.h"

#include <cmath>

#include "simd/kernels.h"

namespace hashslide {

Optimizer::Optimizer(const OptimizerConfig& config, Index n_rows, Index width) : config_(config), width_(width) {
    grow(n_rows);
}

void Optimizer::grow(Index n_rows) {
    const OptimizerKind kind = config_.kind;
    if (kind == OptimizerKind::adagrad) row_.resize(n_rows);
    if (kind == OptimizerKind::adam) second_.resize(n_rows * width_);
    if (kind == OptimizerKind::adam || (kind == OptimizerKind::sgd && config_.momentum > 0))
        first_.resize(n_rows * width_);
}

void Optimizer::update(Index row, float rate, Index step, const float* gradient, float* weight) {
    const Kernels& k = kernels();
    if (config_.weight_decay > 0) k.scale(width_, 1.0f - rate * config_.weight_decay, weight);
    switch (config_.kind) {
        case OptimizerKind::adagrad: {
            row_[row] += k.sum_of_squares(width_, gradient) / static_cast<float>(width_);
            k.axpy(width_, -rate / std::sqrt(config_.initial_accumulator + row_[row]), gradient, weight);
            break;
        }
        case OptimizerKind::adam: {
            const double t = static_cast<double>(step);
            const Kernels::AdamStep s{rate,
                                      config_.beta1,
                                      config_.beta2,
                                      static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(config_.beta1), t))),
                                      static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(config_.beta2), t))),
                                      config_.epsilon};
            k.adam(width_, s, gradient, first_.data() + row * width_, second_.data() + row * width_, weight);
            break;
        }
        case OptimizerKind::sgd: {
            if (config_.momentum > 0) {
                float* velocity = first_.data() + row * width_;
                k.scale(width_, config_.momentum, velocity);
                k.axpy(width_, 1.0f, gradient, velocity);
                gradient = velocity;
            }
            k.axpy(width_, -rate, gradient, weight);
            break;
        }
    }
}

std::vector<Optimizer::NamedArray> Optimizer::arrays() {
    switch (config_.kind) {
        case OptimizerKind::adagrad:
            return {{"adagrad", &row_, 1}};
        case OptimizerKind::adam:
            return {{"adam_m", &first_, width_}, {"adam_v", &second_, width_}};
        case OptimizerKind::sgd:
            break;
    }
    if (config_.momentum > 0) return {{"velocity", &first_, width_}};
    return {};
}

}  // namespace hashslide
