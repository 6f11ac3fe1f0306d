#include "inference/query_cells.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "families/kmeans.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index sample_per_cell = 64;
constexpr Index least_examples = 16;  // of a cell, on average
constexpr Index block = 512;          // examples whose activations are held at once
constexpr Index labels_per_root = 2;  // longest list / sqrt(labels)

Index root(Index n) { return std::max<Index>(1, std::llround(std::sqrt(static_cast<double>(n)))); }

// Activations of every `stride`-th example.
class HiddenSample : public VectorSource {
public:
    HiddenSample(const HiddenStack& stack, const CsrInput& x, float scale, Index stride, int n_threads)
        : n_((x.n_rows() + stride - 1) / stride), width_(stack.width()), rows_(n_ * width_) {
        parallel_for(n_threads, 0, n_, 16, [&](Index first, Index last) {
            CsrRows row;
            for (Index i = first; i < last; ++i) {
                row.assign(x, i * stride, 1, scale);
                stack.predict(row.view(), 0, 1, rows_.data() + i * width_, 1);
            }
        });
    }
    Index n() const override { return n_; }
    Index width() const override { return width_; }
    void read(const Id* ids, Index n, float* out) const override {
        for (Index i = 0; i < n; ++i) std::copy_n(rows_.data() + ids[i] * width_, width_, out + i * width_);
    }

private:
    Index n_, width_;
    Array<float> rows_;
};

Array<float> copy_of(std::span<const float> values) {
    Array<float> array(std::ssize(values));
    std::ranges::copy(values, array.data());
    return array;
}

}  // namespace

QueryCells QueryCells::learn_centres(const HiddenStack& stack, const CsrInput& x, float scale, Index n_labels,
                                     std::uint64_t seed, int n_threads) {
    const Index n_cells = std::clamp<Index>(x.n_rows() / least_examples, 1, root(n_labels));
    const Index stride = std::max<Index>(1, x.n_rows() / (sample_per_cell * n_cells));
    KMeansCells family(n_cells, stack.width(), 1, seed);
    family.learn(HiddenSample(stack, x, scale, stride, n_threads), n_threads);
    const State learned = family.learned();
    QueryCells cells;
    cells.centres = copy_of(array_of<float>(learned, "centres"));
    cells.offsets = copy_of(array_of<float>(learned, "penalties"));
    for (Index c = 0; c < n_cells; ++c)
        cells.offsets[c] += 0.5f * kernels().sum_of_squares(stack.width(), cells.centres.data() + c * stack.width());
    return cells;
}

std::vector<Id> QueryCells::nearest(const HiddenStack& stack, const CsrInput& x, float scale, int n_threads) const {
    const Index width = stack.width();
    std::vector<Id> cells(x.n_rows());
    parallel_for(n_threads, 0, x.n_rows(), block, [&](Index first, Index last) {
        const Index n = last - first;
        std::vector<float> h(n * width), z(n * this->n());
        CsrRows rows;
        rows.assign(x, first, n, scale);
        stack.predict(rows.view(), 0, n, h.data(), 1);
        kernels().products(n, this->n(), width, h.data(), centres.data(), nullptr, z.data(), this->n());
        for (Index i = 0; i < n; ++i) {
            float* row = z.data() + i * this->n();
            kernels().axpy(this->n(), -1.0f, offsets.data(), row);
            cells[first + i] = static_cast<Id>(std::max_element(row, row + this->n()) - row);
        }
    });
    return cells;
}

NewLabelLists QueryCells::extension(const Model& model, const CsrInput& x, float scale, const CsrInput& y,
                                    int n_threads) const {
    std::vector<std::vector<Index>> members(n());
    const std::vector<Id> cells = nearest(model.hidden, x, scale, n_threads);
    for (Index row = 0; row < x.n_rows(); ++row) members[cells[row]].push_back(row);
    std::vector<Index> changed;
    for (Index cell = 0; cell < n(); ++cell)
        if (!members[cell].empty()) changed.push_back(cell);
    const Index width = model.width();
    const auto logit = [&](Index cell, Id label) { return model.output.logit(label, centres.data() + cell * width); };
    const Index longest = labels_per_root * root(model.n_labels());
    LabelListsExtension extension(lists, y, model.n_labels(), longest, logit, n_threads);
    extension.append(changed, [&](Index i) { return std::span<const Index>(members[changed[i]]); });
    return std::move(extension).result();
}

void QueryCells::add_candidates(Index labels, Index probes, Index least, CandidateWork& work) const {
    const auto is_short = [&] { return std::ssize(work.candidates) < least; };
    if (labels * probes == 0 && !is_short()) return;
    const Index width = static_cast<Index>(work.hidden.size());
    work.scores.resize(n());
    kernels().products(1, n(), width, work.hidden.data(), centres.data(), nullptr, work.scores.data(), n());
    work.hits.clear();
    for (Index c = 0; c < n(); ++c) work.hits.push_back(ranked(work.scores[c] - offsets[c], static_cast<Id>(c)));
    const Index probed = std::min(probes, n());
    std::partial_sort(work.hits.begin(), work.hits.begin() + probed, work.hits.end());
    const auto add = [&](Index i, Index most) {
        for (const Id label : lists.of(work.hits[i].label)) {
            if (work.is_forbidden(label)) continue;
            if (most-- == 0) return;
            work.add_candidate(label);
        }
    };
    for (Index i = 0; i < probed; ++i) add(i, labels);
    if (is_short()) std::sort(work.hits.begin(), work.hits.end());
    for (Index i = 0; i < n() && is_short(); ++i) add(i, std::numeric_limits<Index>::max());
}

}  // namespace hashslide
