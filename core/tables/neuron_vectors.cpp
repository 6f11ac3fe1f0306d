#include "tables/neuron_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "base/best_k.h"
#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index block = 1024;  // neurons of one piece of work

Index first_entry(const Vectors& queries, Index i) { return queries.sparse ? queries.begin[i] : i * queries.width; }

}  // namespace

bool is_hashed(const NeuronView& neurons, Id id) {
    for (Index i = 0; i < neurons.width(); ++i)
        if (neurons.weight.at(id, i) != 0) return true;
    return false;
}

// The mean of the batches so far, of later ones with rates that do not fall below 1 / 64: it follows the training. A
// batch that has diverged is not counted, so that the mean stays finite.
void MipsMap::observe(const Vectors& queries) {
    if (!config_.centre_queries || queries.n == 0) return;
    float square = 0;
    for (Index i = 0; i < queries.n; ++i)
        square += kernels().sum_of_squares(queries.size(i), queries.values + first_entry(queries, i));
    if (!std::isfinite(square)) return;
    constexpr float least_rate = 1.0f / 64;
    const float rate = std::max(1.0f / static_cast<float>(++seen_), least_rate);
    const float share = rate / static_cast<float>(queries.n);
    kernels().scale(width_, 1.0f - rate, query_mean_.data());
    query_square_ = (1.0f - rate) * query_square_ + share * square;
    for (Index i = 0; i < queries.n; ++i) {
        const Index first = first_entry(queries, i), size = queries.size(i);
        if (!queries.sparse) {
            kernels().axpy(width_, share, queries.values + first, query_mean_.data());
            continue;
        }
        for (Index e = first; e < first + size; ++e) query_mean_[queries.ids[e]] += share * queries.values[e];
    }
}

void MipsMap::fit(const NeuronView& neurons, int n_threads) {
    origin_ = query_mean_;
    if (config_.centre_queries) fit_balance(neurons, n_threads);
    if (config_.centre) fit_mean(neurons, n_threads);
    if (!needs_norms() || neurons.n == 0) return;
    std::vector<float> norms(neurons.n);
    parallel_for(n_threads, 0, neurons.n, block, [&](Index first, Index last) {
        float* vector = scratch(width());
        for (Index i = first; i < last; ++i) {
            centred(neurons, static_cast<Id>(i), vector);
            norms[i] = ordered(std::sqrt(kernels().sum_of_squares(width_ + config_.bias, vector)));
        }
    });
    longest_.resize(ranges());
    auto begin = norms.begin();
    for (Index r = 0; r < ranges(); ++r) {
        const Index rank = std::max<Index>(0, (r + 1) * neurons.n / ranges() - 1);
        std::nth_element(begin, norms.begin() + rank, norms.end());
        longest_[r] = norms[rank];
        begin = norms.begin() + rank;
    }
}

template <class F>
std::vector<float> MipsMap::mean_over(const NeuronView& neurons, Index size, int n_threads, F&& add) const {
    const Index pieces = (neurons.n + block - 1) / block;
    std::vector<float> sums(pieces * size), total(size);
    std::vector<Index> added(pieces);
    parallel_for(n_threads, 0, neurons.n, block, [&](Index first, Index last) {
        const Index piece = first / block;
        for (Index i = first; i < last; ++i) {
            if (!is_hashed(neurons, static_cast<Id>(i))) continue;
            add(static_cast<Id>(i), sums.data() + piece * size);
            ++added[piece];
        }
    });
    for (Index p = 0; p < pieces; ++p) kernels().axpy(size, 1.0f, sums.data() + p * size, total.data());
    const Index n = std::accumulate(added.begin(), added.end(), Index{0});
    kernels().scale(size, 1.0f / static_cast<float>(std::max<Index>(1, n)), total.data());
    return total;
}

// b + w . m
float MipsMap::offset(const NeuronView& neurons, Id id) const {
    return neurons.bias[id] + (origin_.empty() ? 0.0f : neurons.weight.dot(id, origin_.data()));
}

void MipsMap::fit_mean(const NeuronView& neurons, int n_threads) {
    mean_ = mean_over(neurons, width_ + config_.bias, n_threads, [&](Id id, float* sum) {
        neurons.weight.add(id, 1.0f, sum);
        if (config_.bias) sum[width_] += offset(neurons, id) / balance_;
    });
}

// (|w|^2 + o^2 / c^2) (|h - m|^2 + c^2), in the mean over the neurons, o their offsets, and the queries, is smallest at
// c^2 = sqrt(o^2 |h - m|^2 / |w|^2).
void MipsMap::fit_balance(const NeuronView& neurons, int n_threads) {
    const std::vector<float> means = mean_over(neurons, 3, n_threads, [&](Id id, float* sum) {
        const float o = offset(neurons, id);
        sum[0] += kernels().sum_of_squares(width_, neurons.weight.row(id, scratch(width_)));
        sum[1] += o * o;
        sum[2] += o;
    });
    const float offsets = means[1] - (config_.centre ? means[2] * means[2] : 0.0f);
    const float queries = query_square_ - kernels().sum_of_squares(width_, origin_.data());
    const float squared = std::sqrt(std::max(0.0f, offsets) * std::max(0.0f, queries) / means[0]);
    balance_ = squared > 0 && std::isfinite(squared) ? std::sqrt(squared) : 1.0f;
}

void MipsMap::centred(const NeuronView& neurons, Id id, float* vector) const {
    neurons.weight.copy(id, vector);
    if (config_.bias) vector[width_] = offset(neurons, id) / balance_;
    if (!mean_.empty()) kernels().axpy(static_cast<Index>(mean_.size()), -1.0f, mean_.data(), vector);
}

void MipsMap::map_neurons(const NeuronView& neurons, const Id* ids, Index n, float* vectors, Id* ranges) const {
    const Index d = width_ + config_.bias;
    for (Index i = 0; i < n; ++i) {
        float* vector = vectors + i * width();
        centred(neurons, ids[i], vector);
        Index range = 0;
        if (!longest_.empty()) {
            const float squared = kernels().sum_of_squares(d, vector), norm = std::sqrt(squared);
            while (range + 1 < config_.norm_ranges && norm > longest_[range]) ++range;
            const float longest = longest_[range];
            if (config_.augment) vector[d] = std::sqrt(std::max(0.0f, longest * longest - squared));
            if (config_.norm_ranges > 1 && longest > 0) kernels().scale(width(), 1.0f / longest, vector);
        }
        if (ranges) ranges[i] = static_cast<Id>(range);
    }
}

Vectors MipsMap::map_queries(const Vectors& queries, VectorList& memory) const {
    if (width() == width_) return queries;
    memory.start(width(), queries.sparse && origin_.empty());
    for (Index i = 0; i < queries.n; ++i) {
        memory.append(queries, i);
        if (!origin_.empty()) memory.subtract(origin_.data(), width_);
        if (config_.bias) memory.extend(static_cast<Id>(width_), balance_);
        if (config_.augment) memory.extend(static_cast<Id>(width() - 1), 0.0f);
    }
    return memory.view();
}

State MipsMap::state() const {
    State state{{"mean", mean_}, {"longest", longest_}};
    if (!config_.centre_queries) return state;
    state["query_mean"] = query_mean_;
    state["query_square"] = std::vector<float>{query_square_};
    state["query_batches"] = std::vector<Index>{seen_};
    state["origin"] = origin_;
    state["balance"] = std::vector<float>{balance_};
    return state;
}

void MipsMap::restore(const State& state, bool fitted) {
    if (config_.centre_queries) {
        const auto array = [&](const char* name, Index size) {
            const std::vector<float>& values = array_of<float>(state, name);
            if (std::ssize(values) != size)
                throw std::invalid_argument(std::string("the tables' array ") + name + " has the wrong size");
            if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
                throw std::invalid_argument(std::string("the tables' array ") + name + " is not finite");
            return values;
        };
        const std::vector<Index>& seen = array_of<Index>(state, "query_batches");
        if (seen.size() != 1 || seen[0] < 0 || seen[0] > Index{1} << 62)
            throw std::invalid_argument("the tables' array query_batches is no count");
        query_mean_ = array("query_mean", width_);
        query_square_ = array("query_square", 1)[0];
        seen_ = seen[0];
        origin_ = array("origin", width_);
        balance_ = array("balance", 1)[0];
        if (!(balance_ > 0)) throw std::invalid_argument("the tables' array balance is not positive");
    }
    if (!fitted) return;
    const auto& mean = array_of<float>(state, "mean");
    const auto& longest = array_of<float>(state, "longest");
    const Index n_longest = needs_norms() ? ranges() : 0;
    if (mean.size() != mean_.size() || static_cast<Index>(longest.size()) != n_longest)
        throw std::invalid_argument("a mean or lengths of neurons of another width or number of ranges");
    mean_ = mean;
    longest_ = longest;
}

}  // namespace hashslide
