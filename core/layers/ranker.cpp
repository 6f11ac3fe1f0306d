#include "layers/ranker.h"

#include <cmath>
#include <utility>

namespace hashslide {
namespace {

// x / |x| as an array over all features, of which only its own are touched: memory of one thread, zeros between uses.
class UnitExample {
public:
    UnitExample(Index n_features, std::span<const Id> ids, std::span<const float> values) : ids_(ids) {
        if (memory().size() < n_features) memory() = Array<float>(n_features);
        x_ = memory().data();
        const float scale = inverse_length(values);
        for (std::size_t j = 0; j < ids.size(); ++j) x_[ids[j]] = values[j] * scale;
    }
    UnitExample(const UnitExample&) = delete;
    ~UnitExample() {
        for (const Id id : ids_) x_[id] = 0;
    }
    const float* x() const { return x_; }

private:
    static Array<float>& memory() {
        thread_local Array<float> all;
        return all;
    }
    std::span<const Id> ids_;
    float* x_;
};

}  // namespace

void Ranker::describe(Id first, const CsrView& x, float gain) {
    std::vector<float> scale(x.n_rows);
    bias.own();
    offset.own();
    usual.own();
    for (Index row = 0; row < x.n_rows; ++row) {
        const Id label = static_cast<Id>(first + row);
        scale[row] = margin_factor[label] > 0 ? gain * inverse_length(x.values(row)) / margin_factor[label] : 0.0f;
        bias[label] = 0;
        offset[label] -= std::exchange(usual[label], 0.0f);
    }
    weights.append(first, x, scale);
}

float inverse_length(std::span<const float> values) {
    double squares = 0;
    for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
    return squares > 0 ? static_cast<float>(1.0 / std::sqrt(squares)) : 0.0f;
}

void Ranker::parts(std::span<const Id> ids, std::span<const float> values, std::span<const Id> labels, float* margin,
                   float* association) const {
    const UnitExample example(n_features, ids, values);
    weights.sums(labels, ids, example.x(), margin, association);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        margin[i] += bias[labels[i]];
        association[i] = std::log1p(association[i] / least_association);
    }
}

void Ranker::addends(std::span<const Id> ids, std::span<const float> values, std::span<const Id> labels,
                     float* addends) const {
    thread_local std::vector<float> association;
    association.resize(labels.size());
    parts(ids, values, labels, addends, association.data());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const Id label = labels[i];
        addends[i] = margin_factor[label] * addends[i] + association_factor[label] * association[i] - usual[label];
    }
}

void Ranker::rank(std::span<const Id> ids, std::span<const float> values, std::vector<Hit>& hits) const {
    if (weights.empty()) return;
    thread_local std::vector<Id> labels;
    thread_local std::vector<float> added;
    labels.clear();
    for (Index i = 0; i < std::min<Index>(ranked, std::ssize(hits)); ++i) labels.push_back(hits[i].label);
    added.resize(labels.size());
    addends(ids, values, labels, added.data());
    for (std::size_t i = 0; i < labels.size(); ++i) hits[i] = hashslide::ranked(hits[i].score + added[i], labels[i]);
    std::sort(hits.begin(), hits.end());
}

}  // namespace hashslide
