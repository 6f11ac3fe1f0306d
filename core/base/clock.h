// Wall time of the stages of a step.
#pragma once

#include <chrono>

namespace hashslide {

// Seconds since some moment in the past; never falls.
inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace hashslide
