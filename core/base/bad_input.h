// What a caller gave cannot be used: hashslide.errors.InputError in Python.
#pragma once

#include <stdexcept>

namespace hashslide {

struct BadInput : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace hashslide
