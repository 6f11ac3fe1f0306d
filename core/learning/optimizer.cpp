#include "learning/optimizer.h"

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

Kernels::AdamStep Optimizer::adam_step(float rate, Index step) const {
    const auto correction = [step](float beta) {
        return static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(beta), static_cast<double>(step))));
    };
    return {rate, config_.beta1, config_.beta2, correction(config_.beta1), correction(config_.beta2), config_.epsilon};
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
            k.adam(width_, adam_step(rate, step), gradient, first_.data() + row * width_, second_.data() + row * width_,
                   weight);
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

void Optimizer::update_entries(Index row, float rate, Index step, const Id* coordinates, Index entries,
                               const float* gradient, float* weight) {
    const bool is_adagrad = config_.kind == OptimizerKind::adagrad, is_adam = config_.kind == OptimizerKind::adam;
    float* first = is_adagrad ? nullptr : first_.data() + row * width_;
    float* second = is_adam ? second_.data() + row * width_ : nullptr;
    const Kernels::AdamStep adam = is_adam ? adam_step(rate, step) : Kernels::AdamStep{};
    const float keep = 1.0f - rate * config_.weight_decay;
    float adagrad_rate = rate;
    if (is_adagrad) {
        row_[row] += kernels().sum_of_squares(entries, gradient) / static_cast<float>(width_);
        adagrad_rate /= std::sqrt(config_.initial_accumulator + row_[row]);
    }
    for (Index i = 0; i < entries; ++i) {
        const Id c = coordinates[i];
        weight[i] *= keep;
        if (is_adam) {
            kernels().adam(1, adam, gradient + i, first + c, second + c, weight + i);
        } else if (!is_adagrad && config_.momentum > 0) {
            first[c] = config_.momentum * first[c] + gradient[i];
            weight[i] -= rate * first[c];
        } else {
            weight[i] -= adagrad_rate * gradient[i];
        }
    }
}

std::vector<Optimizer::NamedArray> Optimizer::arrays() {
    switch (config_.kind) {
        case OptimizerKind::adagrad:
            return {{"adagrad", &row_, 1, true}};
        case OptimizerKind::adam:
            return {{"adam_m", &first_, width_, false}, {"adam_v", &second_, width_, true}};
        case OptimizerKind::sgd:
            break;
    }
    if (config_.momentum > 0) return {{"velocity", &first_, width_, false}};
    return {};
}

}  // namespace hashslide
