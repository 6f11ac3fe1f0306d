#include "head/row_updates.h"

#include <algorithm>
#include <cmath>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/prefetch.h"
#include "base/rng.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index rows_at_once = 64, prefetched = 4;

// step(id, gradient, weight) for each row, whose weights are floats meanwhile. prefetch_state(id) is asked for ahead.
template <class Prefetch, class Step>
void each_row(const TouchedRows& rows, int n_threads, Prefetch&& prefetch_state, Step&& step) {
    const Index width = rows.width;
    parallel_for(n_threads, 0, std::ssize(rows.ids), rows_at_once, [&](Index first, Index last) {
        const auto fetch = [&](Index i) {
            if (i >= last) return;
            const Index id = rows.ids[i];
            rows.single ? prefetch(rows.single + id * width, width) : prefetch(rows.half + id * width, width);
            prefetch_state(id);
        };
        for (Index i = first; i < first + prefetched; ++i) fetch(i);
        for (Index i = first; i < last; ++i) {
            fetch(i + prefetched);
            const Index id = rows.ids[i];
            const float* gradient = rows.gradient + i * width;
            if (rows.single) {
                step(id, gradient, rows.single + id * width);
                continue;
            }
            float* weight = scratch<0>(width);
            kernels().widen(width, rows.half + id * width, weight);
            step(id, gradient, weight);
            kernels().narrow_randomly(width, weight, mix(rows.key ^ static_cast<std::uint64_t>(id)),
                                      rows.half + id * width);
        }
    });
}

}  // namespace

void update_adagrad(const TouchedRows& rows, float* sums, float rate, float keep, int n_threads) {
    const Kernels& k = kernels();
    each_row(
        rows, n_threads, [&](Index id) { prefetch(sums + id, 1); },
        [&](Index id, const float* gradient, float* weight) {
            sums[id] += k.sum_of_squares(rows.width, gradient) / static_cast<float>(rows.width);
            if (keep != 1.0f) k.scale(rows.width, keep, weight);
            k.axpy(rows.width, -rate / std::sqrt(sums[id]), gradient, weight);
        });
}

void update_adam(const TouchedRows& rows, const RowAdamSettings& settings, float* first, float* second,
                 std::int32_t* steps, int n_threads) {
    const Kernels& k = kernels();
    const Index width = rows.width;
    const auto correction = [](float beta, std::int32_t step) {
        return static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(beta), static_cast<double>(step))));
    };
    each_row(
        rows, n_threads,
        [&](Index id) {
            prefetch(second + id, 1);
            prefetch(steps + id, 1);
            if (first) prefetch(first + id * width, width);
        },
        [&](Index id, const float* gradient, float* weight) {
            const std::int32_t step = ++steps[id];
            const float square = k.sum_of_squares(width, gradient) / static_cast<float>(width);
            second[id] += (1.0f - settings.beta2) * (square - second[id]);
            const float length = std::sqrt(second[id] * correction(settings.beta2, step)) + settings.epsilon;
            if (settings.keep != 1.0f) k.scale(width, settings.keep, weight);
            if (!first) return k.axpy(width, -settings.rate / length, gradient, weight);
            float* moment = first + id * width;
            k.scale(width, settings.beta1, moment);
            k.axpy(width, 1.0f - settings.beta1, gradient, moment);
            k.axpy(width, -settings.rate * correction(settings.beta1, step) / length, moment, weight);
        });
}

}  // namespace hashslide
