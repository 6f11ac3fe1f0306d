// What a part of the model saves besides its weights: named arrays, copied.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"

namespace hashslide {

using StateArray = std::variant<std::vector<float>, std::vector<Id>, std::vector<Index>>;
using State = std::map<std::string, StateArray>;

// An array that has to be there. States come from files: what does not fit is an std::invalid_argument.
template <class T>
const std::vector<T>& array_of(const State& state, const std::string& name) {
    const auto found = state.find(name);
    if (found == state.end()) throw std::invalid_argument("the tables lack the array " + name);
    const auto* values = std::get_if<std::vector<T>>(&found->second);
    if (!values) throw std::invalid_argument("the tables' array " + name + " has the wrong type");
    return *values;
}

}  // namespace hashslide
