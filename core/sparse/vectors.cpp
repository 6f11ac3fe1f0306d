#include "sparse/vectors.h"

#include <algorithm>

namespace hashslide {

void Vectors::copy(float* out) const {
    if (!sparse) {
        std::copy_n(values, n * width, out);
        return;
    }
    std::fill_n(out, n * width, 0.0f);
    for (Index i = 0; i < n; ++i)
        for (Index e = begin[i]; e < begin[i + 1]; ++e) out[i * width + ids[e]] = values[e];
}

void products(const Vectors& vectors, const WeightView& rows, const Id* ids, Index n_rows, float* out, Index ld) {
    if (!vectors.sparse) return rows.products(vectors.n, vectors.values, ids, n_rows, out, ld);
    for (Index r = 0; r < n_rows; ++r)
        for (Index i = 0; i < vectors.n; ++i) out[i * ld + r] = vectors.dot(i, rows, ids ? ids[r] : r);
}

void VectorList::start(Index width, bool sparse) {
    n_ = 0;
    width_ = width;
    sparse_ = sparse;
    values_.clear();
    ids_.clear();
    begin_.assign(1, 0);
}

void VectorList::append(const Vectors& from, Index i) {
    ++n_;
    if (from.sparse && !sparse_) {
        values_.resize(values_.size() + from.width);
        from.part(i, i + 1).copy(values_.data() + values_.size() - from.width);
        return;
    }
    const Index first = sparse_ ? from.begin[i] : i * from.width, last = first + from.size(i);
    values_.insert(values_.end(), from.values + first, from.values + last);
    if (!sparse_) return;
    ids_.insert(ids_.end(), from.ids + first, from.ids + last);
    begin_.push_back(std::ssize(ids_));
}

void VectorList::subtract(const float* from, Index n) {
    kernels().axpy(n, -1.0f, from, values_.data() + values_.size() - n);
}

void VectorList::extend(Id coordinate, float value) {
    if (sparse_ && value == 0) return;
    values_.push_back(value);
    if (!sparse_) return;
    ids_.push_back(coordinate);
    ++begin_.back();
}

}  // namespace hashslide
