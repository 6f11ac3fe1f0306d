#include "layers/ranker.h"

#include <cmath>

namespace hashslide {
namespace {

// x / |x|, as the margins take it.
std::span<const float> unit(std::span<const float> values) {
    thread_local std::vector<float> scaled;
    const float scale = inverse_length(values);
    scaled.assign(values.begin(), values.end());
    for (float& v : scaled) v *= scale;
    return scaled;
}

// |x| / |x|, as the associations take it: a feature occurs whatever the sign of its value.
std::span<const float> unsigned_unit(std::span<const float> values) {
    thread_local std::vector<float> scaled;
    const std::span<const float> of_margins = unit(values);
    scaled.assign(of_margins.begin(), of_margins.end());
    for (float& v : scaled) v = std::abs(v);
    return scaled;
}

float on_log_scale(float association) { return std::log1p(association / Ranker::least_association); }

}  // namespace

float inverse_length(std::span<const float> values) {
    double squares = 0;
    for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
    return squares > 0 ? static_cast<float>(1.0 / std::sqrt(squares)) : 0.0f;
}

float Ranker::addend(Id label, float margin, float association) const {
    return margin_factor[label] * margin + association_factor[label] * association - usual[label];
}

void Ranker::rank(std::span<const Id> ids, std::span<const float> values, std::vector<Hit>& hits) const {
    if (margins.empty() && associations.empty()) return;
    const std::span<Hit> best(hits.data(), static_cast<std::size_t>(std::min<Index>(ranked, std::ssize(hits))));
    std::sort(best.begin(), best.end(), [](const Hit& a, const Hit& b) { return a.label < b.label; });
    thread_local std::vector<Id> labels;
    thread_local std::vector<float> margin, association;
    labels.clear();
    for (const Hit& hit : best) labels.push_back(hit.label);
    margin.assign(best.size(), 0.0f);
    association.assign(best.size(), 0.0f);
    margins.add_sums(ids, unit(values), labels, margin.data());
    associations.add_sums(ids, unsigned_unit(values), labels, association.data());
    for (std::size_t i = 0; i < best.size(); ++i) {
        const Id label = best[i].label;
        best[i] = hashslide::ranked(best[i].score + addend(label, margin[i], on_log_scale(association[i])), label);
    }
    std::sort(hits.begin(), hits.end());
}

float Ranker::margin_of(std::span<const Id> ids, std::span<const float> values, Id label) const {
    return margins.sum(ids, unit(values), label);
}

float Ranker::association_of(std::span<const Id> ids, std::span<const float> values, Id label) const {
    return on_log_scale(associations.sum(ids, unsigned_unit(values), label));
}

float Ranker::addend(std::span<const Id> ids, std::span<const float> values, Id label) const {
    return enabled() ? addend(label, margin_of(ids, values, label), association_of(ids, values, label)) : 0.0f;
}

}  // namespace hashslide
