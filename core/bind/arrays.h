// NumPy arrays in and out of the bindings.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>

#include "neuron_vectors.h"

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

inline NeuronView neuron_view(const Matrix& weight, const In<float>& bias) {
    return {weight.data(), bias.data(), static_cast<Index>(weight.shape(0)), static_cast<Index>(weight.shape(1))};
}

}  // namespace hashslide
