#include "text/text_features.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace hashslide {
namespace {

struct Occurrence {
    Id feature;
    Id column;
    bool operator<(const Occurrence& o) const { return feature != o.feature ? feature < o.feature : column < o.column; }
};

// Appends the row of a document.
void append(const std::vector<Occurrence>& sorted, const Vocabulary& vocabulary, const TextWeighting& weighting,
            SparseRows& rows) {
    const auto begin = rows.values.size();
    double squares = 0;
    for (std::size_t i = 0; i < sorted.size();) {
        std::size_t next = i + 1;
        while (next < sorted.size() && sorted[next].feature == sorted[i].feature) ++next;
        const double count = static_cast<double>(next - i);
        const double weight = vocabulary.weights ? static_cast<double>(vocabulary.weights[sorted[i].feature]) : 1.0;
        const double value = (weighting.sublinear ? 1 + std::log(count) : count) * weight *
                             static_cast<double>(weighting.column_weights[sorted[i].column]);
        if (value != 0) {
            rows.indices.push_back(sorted[i].feature);
            rows.values.push_back(static_cast<float>(value));
            squares += value * value;
        }
        i = next;
    }
    if (weighting.unit_length && squares > 0) {
        const double scale = 1 / std::sqrt(squares);
        for (std::size_t i = begin; i < rows.values.size(); ++i)
            rows.values[i] = static_cast<float>(static_cast<double>(rows.values[i]) * scale);
    }
    rows.indptr.push_back(std::ssize(rows.indices));
}

}  // namespace

SparseRows text_features(const TermSettings& settings, const Documents& documents, const Vocabulary& vocabulary,
                         const TextWeighting& weighting, int n_threads) {
    constexpr Index grain = 128;
    std::vector<SparseRows> pieces((documents.n() + grain - 1) / grain);
    parallel_for(n_threads, 0, documents.n(), grain, [&](Index first, Index last) {
        SparseRows& piece = pieces[first / grain];
        TermReader reader(settings);
        std::vector<Occurrence> found;
        for (Index d = first; d < last; ++d) {
            found.clear();
            reader.each(documents, d, [&](TermHash hash, Index column, auto&&) {
                const Id feature = vocabulary.feature_of(hash);
                if (feature >= 0) found.push_back({feature, static_cast<Id>(column)});
            });
            std::sort(found.begin(), found.end());
            append(found, vocabulary, weighting, piece);
        }
    });
    SparseRows all;
    all.indptr.push_back(0);
    Index n = 0;
    for (const SparseRows& piece : pieces) n += std::ssize(piece.indices);
    all.indices.reserve(static_cast<std::size_t>(n));
    all.values.reserve(static_cast<std::size_t>(n));
    for (SparseRows& piece : pieces) {
        const Index before = std::ssize(all.indices);
        for (const Index end : piece.indptr) all.indptr.push_back(before + end);
        all.indices.insert(all.indices.end(), piece.indices.begin(), piece.indices.end());
        all.values.insert(all.values.end(), piece.values.begin(), piece.values.end());
        piece = SparseRows();
    }
    return all;
}

}  // namespace hashslide
