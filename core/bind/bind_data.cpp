// Python's side of the text formats: pieces of a file in, NumPy arrays out without a copy.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "data/xmc_reader.h"
#include "data/xmc_writer.h"
#include "python/arrays.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using hashslide::CsrInput;
using hashslide::GrowingArray;
using hashslide::Id;
using hashslide::Index;
using hashslide::XmcError;
using hashslide::XmcOptions;
using hashslide::XmcParser;

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Output = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// The array owns the block from now on.
template <class T>
Output<T> hand_over(GrowingArray<T>& array) {
    const auto size = static_cast<std::size_t>(array.size());
    T* block = array.release();
    return Output<T>(block, {size}, nb::capsule(block, [](void* p) noexcept { std::free(p); }));
}

void feed(XmcParser& parser, const Bytes& chunk) {
    hashslide::released([&] { parser.feed({reinterpret_cast<const char*>(chunk.data()), chunk.size()}); });
}

nb::tuple take(XmcParser& parser) {
    auto& x = parser.features();
    auto& y = parser.labels();
    const Index n_rows = parser.n_held();
    const nb::tuple arrays = nb::make_tuple(hand_over(x.indptr), hand_over(x.indices), hand_over(x.data),
                                            hand_over(y.indptr), hand_over(y.indices));
    parser.forget_rows(n_rows);
    return arrays;
}

// The items of some rows, one row after the other. Items are any of 4 bytes.
Output<std::uint32_t> gather_rows(const Input<Index>& indptr, const Input<std::uint32_t>& items,
                                  const Input<Index>& rows) {
    const Index n_rows = static_cast<Index>(indptr.size()) - 1, n_items = static_cast<Index>(items.size());
    std::size_t size = 0;
    for (const Index row : std::span(rows.data(), rows.size())) {
        if (row < 0 || row >= n_rows) throw nb::index_error("there is no such row");
        const Index first = indptr.data()[row], last = indptr.data()[row + 1];
        if (first < 0 || first > last || last > n_items) throw nb::value_error("offsets that do not rise");
        size += static_cast<std::size_t>(last - first);
    }
    auto* out = static_cast<std::uint32_t*>(std::malloc(std::max<std::size_t>(size, 1) * sizeof(std::uint32_t)));
    if (out == nullptr) throw std::bad_alloc();
    const nb::capsule owner(out, [](void* p) noexcept { std::free(p); });
    hashslide::released([&] {
        std::uint32_t* to = out;
        for (const Index row : std::span(rows.data(), rows.size()))
            to = std::copy(items.data() + indptr.data()[row], items.data() + indptr.data()[row + 1], to);
    });
    return Output<std::uint32_t>(out, {size}, owner);
}

nb::list repairs(const XmcParser& parser) {
    nb::list list;
    for (const auto& repair : parser.repairs()) {
        if (repair.lines > 0) list.append(nb::make_tuple(repair.kind, repair.lines, repair.first_line));
    }
    return list;
}

nb::bytes format_rows(const Input<Index>& x_indptr, const Input<Id>& x_indices, const Input<float>& x_data,
                      const Input<Index>& y_indptr, const Input<Id>& y_indices, Index begin, Index end,
                      Index feature_base) {
    constexpr Index all_ids = Index{1} << 31;
    const CsrInput x = hashslide::csr(x_indptr, x_indices, x_data, all_ids);
    const CsrInput y = hashslide::pattern(y_indptr, y_indices, all_ids);
    std::string text;
    hashslide::released([&] { append_rows(text, x, y, begin, end, feature_base); });
    return nb::bytes(text.data(), text.size());
}

// XmcError arrives as hashslide._core.XmcError(kind, line, found); `payload` is that Python type.
void translate(const std::exception_ptr& error, void* payload) {
    try {
        std::rethrow_exception(error);
    } catch (const XmcError& e) {
        const nb::tuple args = nb::make_tuple(e.what(), e.line, nb::bytes(e.found.data(), e.found.size()));
        PyErr_SetObject(static_cast<PyObject*>(payload), args.ptr());
    }
}

}  // namespace

void bind_data(nb::module_& m) {
    const nb::object error_type = nb::steal(PyErr_NewException("hashslide._core.XmcError", PyExc_ValueError, nullptr));
    m.attr("XmcError") = error_type;
    nb::register_exception_translator(translate, error_type.ptr());

    nb::class_<XmcParser>(m, "XmcParser", "Push parser of the XMC text format (header=True) and of svmlight.")
        .def(
            "__init__",
            [](XmcParser* self, bool header, bool labels, bool lenient, Index feature_base, Index n_features,
               Index n_labels) {
                new (self) XmcParser(XmcOptions{header, labels, lenient, feature_base, n_features, n_labels});
            },
            "header"_a = true, "labels"_a = true, "lenient"_a = false, "feature_base"_a = 0, "n_features"_a = -1,
            "n_labels"_a = -1)
        .def("feed", &feed, "chunk"_a, "Parse the next piece of the file (bytes, any length).")
        .def(
            "finish", [](XmcParser& parser) { hashslide::released([&] { parser.finish(); }); }, "The file ends here.")
        .def("take", &take,
             "Hand over (x_indptr, x_indices, x_data, y_indptr, y_indices) of the rows since the last time.")
        .def_prop_ro("n_rows", &XmcParser::n_rows, "Rows of the file so far.")
        .def_prop_ro("n_entries", &XmcParser::n_entries, "Labels and features of the rows that are not handed over.")
        .def_prop_ro("n_rows_promised", &XmcParser::n_rows_promised)
        .def_prop_ro("n_features", &XmcParser::n_features)
        .def_prop_ro("n_labels", &XmcParser::n_labels)
        .def_prop_ro("repairs", &repairs, "List of (kind, number of lines, first line).");
    m.def("gather_rows", &gather_rows, "indptr"_a, "items"_a, "rows"_a,
          "The items of some rows of a sparse matrix, one row after the other; the items have 4 bytes each.");
    m.def("format_rows", &format_rows, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "begin"_a,
          "end"_a, "feature_base"_a = 0, "Lines [begin, end) of the XMC or svmlight text format, as bytes.");
}
