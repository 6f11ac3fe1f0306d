// NumPy arrays in and out of the bindings, and dictionaries of them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/state.h"
#include "sparse/csr_input.h"
#include "tables/neuron_vectors.h"

namespace hashslide {

template <class T>
using In = nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using Matrix = nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

// A NumPy array with a copy of the values.
template <class Values>
auto to_array(const Values& values) {
    using T = std::remove_cvref_t<decltype(values[0])>;
    T* copy = new T[values.size()];
    std::copy(values.begin(), values.end(), copy);
    const nanobind::capsule owner(copy, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>(copy, {values.size()}, owner);
}

// Matrices from Python, by their offsets, ids and values.
inline CsrInput pattern(const In<Index>& indptr, const In<Id>& indices, Index n_columns) {
    return {indptr.data(),
            indices.data(),
            nullptr,
            static_cast<Index>(indptr.size()) - 1,
            static_cast<Index>(indices.size()),
            n_columns};
}
inline CsrInput csr(const In<Index>& indptr, const In<Id>& indices, const In<float>& data, Index n_columns) {
    return {indptr.data(),
            indices.data(),
            data.data(),
            static_cast<Index>(indptr.size()) - 1,
            static_cast<Index>(std::min(indices.size(), data.size())),
            n_columns};
}

// Vectors from Python: a matrix, or the (indptr, indices, data) of a CSR matrix, whose content is not checked.
using VectorsIn = std::variant<Matrix, std::tuple<In<Index>, In<Id>, In<float>>>;

inline Vectors vectors_of(const VectorsIn& given, Index width) {
    if (const Matrix* m = std::get_if<Matrix>(&given)) {
        if (static_cast<Index>(m->shape(1)) != width) throw std::invalid_argument("vectors of another width");
        return Vectors::dense(m->data(), static_cast<Index>(m->shape(0)), width);
    }
    const auto& [indptr, indices, data] = std::get<1>(given);
    return {static_cast<Index>(indptr.size()) - 1, width, true, data.data(), indptr.data(), indices.data()};
}

inline NeuronView neuron_view(const Matrix& weight, const In<float>& bias) {
    return {{weight.data(), nullptr, static_cast<Index>(weight.shape(1))},
            bias.data(),
            static_cast<Index>(weight.shape(0))};
}

// What a part of the model saves, as a dictionary and back.
inline nanobind::dict state_to_dict(const State& state) {
    nanobind::dict out;
    for (const auto& [name, array] : state)
        std::visit([&, key = name.c_str()](const auto& values) { out[key] = to_array(values); }, array);
    return out;
}

// Arrays of other types than State has are refused.
inline State state_from_dict(const nanobind::dict& dict) {
    State state;
    for (const auto& [key, value] : dict) {
        const auto add = [&, name = nanobind::cast<std::string>(key)]<class T>(T) {
            nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu> array;
            if (!nanobind::try_cast(value, array, false)) return false;
            state[name] = std::vector<T>(array.data(), array.data() + array.size());
            return true;
        };
        if (!add(float{}) && !add(Id{}) && !add(Index{})) throw nanobind::type_error("an array of another type");
    }
    return state;
}

}  // namespace hashslide
