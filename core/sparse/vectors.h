// Vectors as hash families and samplers read them: all coordinates, or only those that are not 0.
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.h"
#include "simd/kernels.h"
#include "weights/weight_view.h"

namespace hashslide {

struct Vectors {
    Index n = 0, width = 0;
    bool sparse = false;
    const float* values = nullptr;  // dense: (n, width)
    const Index* begin = nullptr;   // sparse: the entries of vector i are begin[i] .. begin[i + 1] - 1
    const Id* ids = nullptr;        // sparse: the coordinate of each entry; each once in a vector, in any order

    static Vectors dense(const float* values, Index n, Index width) { return {n, width, false, values}; }

    Vectors part(Index first, Index last) const {
        if (sparse) return {last - first, width, true, values, begin + first, ids};
        return dense(values + first * width, last - first, width);
    }
    // Entries of vector i that are stored.
    Index size(Index i) const { return sparse ? begin[i + 1] - begin[i] : width; }

    // With row r. O(size(i)).
    float dot(Index i, const WeightView& rows, Index r = 0) const {
        if (!sparse) return rows.dot(r, values + i * width);
        float sum = 0;
        for (Index e = begin[i]; e < begin[i + 1]; ++e) sum += values[e] * rows.at(r, ids[e]);
        return sum;
    }

    // All of them with their zeros. out: (n, width).
    void copy(float* out) const;
};

// Vectors that are held as dense ones at once: at most so many, of 16 MB together.
inline Index at_once(Index most, Index width) { return std::clamp<Index>((Index{1} << 22) / width, 1, most); }

// out[i * ld + r] = vector i . row ids[r]; ids null: rows 0, 1, ...
void products(const Vectors& vectors, const WeightView& rows, const Id* ids, Index n_rows, float* out, Index ld);

// Vectors put together one by one.
class VectorList {
public:
    void start(Index width, bool sparse);
    void append(const Vectors& from, Index i);
    void subtract(const float* from, Index n);  // from the last n coordinates; dense only
    void extend(Id coordinate, float value);    // the last vector; dense: by its next coordinate
    Vectors view() const { return {n_, width_, sparse_, values_.data(), begin_.data(), ids_.data()}; }

private:
    Index n_ = 0, width_ = 0;
    bool sparse_ = false;
    std::vector<float> values_;
    std::vector<Index> begin_;
    std::vector<Id> ids_;
};

}  // namespace hashslide
