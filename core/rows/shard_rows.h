// What the protocol `rows` asks of the owner of a shard: copies of some rows, and updates with what all machines push.
#pragma once

#include <span>

#include "distributed/model_shard.h"
#include "rows/pushed_rows.h"

namespace hashslide {

// Copies rows `ids` as they are stored, to floats or bfloat16: (ids, width).
void copy_rows(const Weights& weight, std::span<const Id> ids, Index width, void* out);

// The machines' gradients of the rows of a shard are added up in the order of the parts; each row is updated once, by
// one thread. O(rows * width).
void update_input_rows(ModelShard& shard, std::span<const PushedRows> parts, float rate, Index step, int n_threads);
void update_output_rows(ModelShard& shard, std::span<const PushedRows> parts, float rate, Index step, int n_threads);

}  // namespace hashslide
