// Texts from Python, as UTF-8 bytes and offsets; features and counted terms back.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "python/arrays.h"
#include "python/released.h"
#include "text/term_counter.h"
#include "text/text_features.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace hashslide;

Documents documents_of(const nb::bytes& utf8, const In<Index>& offsets, const TermSettings& settings) {
    const Index n_texts = static_cast<Index>(offsets.size()) - 1;
    return {{utf8.c_str(), utf8.size()}, offsets.data(), n_texts / settings.columns, settings.columns};
}

nb::tuple frequent(const TermCounter& counter, Index least_documents, Index most) {
    const std::vector<CountedTerm> found = released([&] { return counter.frequent(least_documents, most); });
    std::vector<TermHash> hashes;
    std::vector<Index> documents, first_documents;
    for (const CountedTerm& term : found) {
        hashes.push_back(term.hash);
        documents.push_back(term.documents);
        first_documents.push_back(term.first_document);
    }
    return nb::make_tuple(to_array(hashes), to_array(documents), to_array(first_documents));
}

// The names and columns of the terms with these hashes among those of one document; what is not there has none.
std::vector<std::pair<std::string, Index>> names(const TermSettings& settings, const nb::bytes& utf8,
                                                 const In<Index>& offsets, Index document, const In<TermHash>& hashes) {
    std::unordered_map<TermHash, std::size_t> places;
    for (std::size_t i = 0; i < hashes.size(); ++i) places.emplace(hashes.data()[i], i);
    std::vector<std::pair<std::string, Index>> found(hashes.size());
    TermReader(settings).each(documents_of(utf8, offsets, settings), document,
                              [&](TermHash hash, Index column, auto&& name) {
                                  const auto place = places.find(hash);
                                  if (place != places.end() && found[place->second].first.empty())
                                      found[place->second] = {name(), column};
                              });
    return found;
}

Vocabulary vocabulary_of(Index n_features, const std::optional<In<Id>>& slots,
                         const std::optional<In<TermHash>>& hashes) {
    Vocabulary vocabulary;
    vocabulary.n_features = n_features;
    if (slots) {
        vocabulary.slots = slots->data();
        vocabulary.n_slots = static_cast<Index>(slots->size());
        vocabulary.hashes = hashes->data();
    }
    return vocabulary;
}

// The terms of one document that have a feature, each once, and their features.
nb::tuple document_terms(const TermSettings& settings, const nb::bytes& utf8, const In<Index>& offsets,
                         Index n_features, const std::optional<In<Id>>& slots,
                         const std::optional<In<TermHash>>& hashes) {
    const Vocabulary vocabulary = vocabulary_of(n_features, slots, hashes);
    std::vector<std::pair<Id, TermHash>> found;
    TermReader(settings).each(documents_of(utf8, offsets, settings), 0, [&](TermHash hash, Index, auto&&) {
        const Id feature = vocabulary.feature_of(hash);
        if (feature >= 0) found.emplace_back(feature, hash);
    });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end(), [](auto& a, auto& b) { return a.first == b.first; }),
                found.end());
    std::vector<TermHash> terms;
    std::vector<Id> features;
    for (const auto& [feature, hash] : found) {
        terms.push_back(hash);
        features.push_back(feature);
    }
    return nb::make_tuple(to_array(terms), to_array(features));
}

nb::tuple features(const TermSettings& settings, const nb::bytes& utf8, const In<Index>& offsets, Index n_features,
                   const std::optional<In<Id>>& slots, const std::optional<In<TermHash>>& hashes,
                   const std::optional<In<float>>& weights, const In<float>& column_weights, bool sublinear,
                   bool unit_length, int n_threads) {
    Vocabulary vocabulary = vocabulary_of(n_features, slots, hashes);
    if (weights) vocabulary.weights = weights->data();
    const TextWeighting weighting{column_weights.data(), sublinear, unit_length};
    const Documents documents = documents_of(utf8, offsets, settings);
    const SparseRows rows =
        released([&] { return text_features(settings, documents, vocabulary, weighting, n_threads); });
    return nb::make_tuple(to_array(rows.indptr), to_array(rows.indices), to_array(rows.values));
}

}  // namespace

void bind_text(nb::module_& m) {
    nb::class_<TermSettings>(m, "TermSettings", "Which terms a document has.")
        .def(
            "__init__",
            [](TermSettings* self, Index columns, Index words, Index least_letters, Index most_letters) {
                new (self) TermSettings{columns, words, least_letters, most_letters};
            },
            "columns"_a, "words"_a, "least_letters"_a, "most_letters"_a);
    nb::class_<TermCounter>(m, "TermCounter", "How many documents have each term, in bounded memory.")
        .def(nb::init<const TermSettings&, Index>(), "settings"_a, "most_terms"_a)
        .def(
            "add",
            [](TermCounter& self, const TermSettings& settings, const nb::bytes& utf8, const In<Index>& offsets,
               int n_threads) {
                const Documents documents = documents_of(utf8, offsets, settings);
                released([&] { self.add(documents, n_threads); });
            },
            "settings"_a, "utf8"_a, "offsets"_a, "n_threads"_a)
        .def_prop_ro("n_documents", &TermCounter::n_documents)
        .def_prop_ro("dropped", &TermCounter::dropped, "By how much a count may be too small.")
        .def("frequent", &frequent, "least_documents"_a, "most"_a,
             "Hashes, numbers of documents and first documents of the terms, the most frequent first.");
    m.def("term_names", &names, "settings"_a, "utf8"_a, "offsets"_a, "document"_a, "hashes"_a,
          "The texts of terms that occur in a document.");
    m.def(
        "term_slots",
        [](const In<TermHash>& hashes) { return to_array(slots_of(hashes.data(), static_cast<Index>(hashes.size()))); },
        "hashes"_a, "The table of a vocabulary.");
    m.def(
        "is_term_table",
        [](const In<Id>& slots, Index n_features) {
            return is_table(slots.data(), static_cast<Index>(slots.size()), n_features);
        },
        "slots"_a, "n_features"_a, "Whether a table can be looked up.");
    m.def("document_terms", &document_terms, "settings"_a, "utf8"_a, "offsets"_a, "n_features"_a, "slots"_a.none(),
          "hashes"_a.none(), "Hashes and features of the terms of one document.");
    m.def("text_features", &features, "settings"_a, "utf8"_a, "offsets"_a, "n_features"_a, "slots"_a.none(),
          "hashes"_a.none(), "weights"_a.none(), "column_weights"_a, "sublinear"_a, "unit_length"_a, "n_threads"_a,
          "(indptr, indices, values) of documents.");
}
