// A matrix of weights in either precision, and the one way to change its rows.
#pragma once

#include <algorithm>

#include "base/memory.h"
#include "base/rng.h"
#include "base/scratch.h"
#include "weights/weight_view.h"

namespace hashslide {

// A change of a row of bfloat16 weights is rounded to one of the two neighbours, to each with the chance that makes the
// mean right (Gupta et al. 2015): rounded to the nearest, the many changes of less than 1/256 of a weight would be
// lost. The random numbers depend on the seed, the step, the row and the coordinate alone.
class Weights {
public:
    Weights(Index n, Index width, Precision precision, std::uint64_t seed, Stream stream)
        : width_(width), precision_(precision), seed_(seed), stream_(stream) {
        resize(n);
    }

    Precision precision() const { return precision_; }
    WeightView view() const {
        return is_single() ? WeightView{single.data(), nullptr, width_} : WeightView{nullptr, half.data(), width_};
    }
    void resize(Index n) { is_single() ? single.resize(n * width_) : half.resize(n * width_); }
    // Random numbers know row r as ids[r], as where these are some rows of a larger matrix. ids outlive this.
    void name_rows(const Id* ids) { ids_ = ids; }

    // row becomes the given one, rounded to the nearest.
    void set(Index row, const float* given) {
        if (is_single())
            std::copy_n(given, width_, single.data() + row * width_);
        else
            kernels().narrow(width_, given, half.data() + row * width_);
    }
    // Takes memory for all rows, which stay 0: the system clears it on all threads at once, instead of in the first
    // training steps, page by page, whenever a row is touched for the first time.
    void occupy();
    // Rows first .. last: uniform weights of the given standard deviation.
    void draw(Index first, Index last, float deviation, const CounterRng& rng);
    // change(float* row) in the step `step`.
    template <class F>
    void update(Index row, Index step, F&& change) {
        if (is_single()) return change(single.data() + row * width_);
        float* w = scratch<3>(width_);
        Bf16* stored = half.data() + row * width_;
        kernels().widen(width_, stored, w);
        change(w);
        kernels().narrow_randomly(width_, w, key(row, step), stored);
    }
    // The same of some coordinates alone: change(float* values), one for each. O(entries).
    template <class F>
    void update_entries(Index row, Index step, const Id* coordinates, Index entries, F&& change) {
        float* values = scratch<3>(entries);
        for (Index i = 0; i < entries; ++i) values[i] = view().at(row, coordinates[i]);
        change(values);
        if (is_single())
            for (Index i = 0; i < entries; ++i) single[row * width_ + coordinates[i]] = values[i];
        else
            kernels().narrow_entries_randomly(entries, coordinates, values, key(row, step), half.data() + row * width_);
    }

    // One of the two is used.
    Array<float> single;
    Array<Bf16> half;

private:
    bool is_single() const { return precision_ == Precision::float32; }
    std::uint64_t key(Index row, Index step) const {
        return CounterRng(seed_, stream_, static_cast<std::uint64_t>(step)).bits(name(row));
    }
    std::uint64_t name(Index row) const { return static_cast<std::uint64_t>(ids_ ? ids_[row] : row); }

    Index width_;
    Precision precision_;
    std::uint64_t seed_;
    Stream stream_;
    const Id* ids_ = nullptr;
};

}  // namespace hashslide
