// State as a dictionary of NumPy arrays and back.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/state.h"

namespace hashslide {

inline nanobind::dict state_to_dict(const State& state) {
    nanobind::dict out;
    for (const auto& [name, array] : state)
        std::visit(
            [&, key = name.c_str()](const auto& values) {
                using T = typename std::remove_cvref_t<decltype(values)>::value_type;
                T* copy = new T[values.size()];
                std::copy(values.begin(), values.end(), copy);
                const nanobind::capsule owner(copy, [](void* p) noexcept { delete[] static_cast<T*>(p); });
                out[key] = nanobind::ndarray<nanobind::numpy, T>(copy, {values.size()}, owner);
            },
            array);
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
