#include "rows/shard_rows.h"

#include <cstring>

#include "base/parallel.h"
#include "base/prefetch.h"
#include "base/scratch.h"

namespace hashslide {
namespace {

constexpr Index rows_at_once = 64;

template <class T>
void copy(const Array<T>& all, std::span<const Id> ids, Index width, void* out) {
    constexpr Index ahead = 8;
    for (Index i = 0; i < std::ssize(ids); ++i) {
        if (i + ahead < std::ssize(ids)) prefetch(all.data() + ids[i + ahead] * width, width);
        std::memcpy(static_cast<T*>(out) + i * width, all.data() + ids[i] * width,
                    static_cast<std::size_t>(width) * sizeof(T));
    }
}

}  // namespace

void copy_rows(const Weights& weight, std::span<const Id> ids, Index width, void* out) {
    weight.precision() == Precision::float32 ? copy(weight.single, ids, width, out)
                                             : copy(weight.half, ids, width, out);
}

void update_input_rows(ModelShard& shard, std::span<const PushedRows> parts, float rate, Index step, int n_threads) {
    const FlushDenormals flush;
    InputRows& rows = shard.input;
    const GroupedRows pushed(parts, rows.hidden());
    parallel_for(n_threads, 0, pushed.size(), rows_at_once, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const Id row = pushed.ids()[i];
            const float* gradient = pushed.gradient(i, scratch(rows.hidden()));
            rows.weight.update(row, step,
                               [&](float* w) { rows.weight_optimizer.update(row, rate, step, gradient, w); });
        }
    });
}

void update_output_rows(ModelShard& shard, std::span<const PushedRows> parts, float rate, Index step, int n_threads) {
    const FlushDenormals flush;
    OutputLayer& rows = shard.output;
    const GroupedRows pushed(parts, rows.width());
    parallel_for(n_threads, 0, pushed.size(), rows_at_once, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            rows.update(pushed.ids()[i], rate, step, pushed.gradient(i, scratch(rows.width())), pushed.bias(i));
    });
}

}  // namespace hashslide
