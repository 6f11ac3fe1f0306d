// The tile instructions of AMX in plain C++, as the manual defines them, so that the kernels run on any CPU with
// AVX-512 BF16: included before everything else.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace amx_emulation {

struct Config {
    std::uint8_t palette, start_row, reserved[14];
    std::uint16_t bytes[16];
    std::uint8_t rows[16];
};
static_assert(sizeof(Config) == 64);

inline Config config{};
inline std::uint8_t tiles[8][16][64];

inline void load(int t, const void* base, long stride) {
    for (int r = 0; r < config.rows[t]; ++r)
        std::memcpy(tiles[t][r], static_cast<const char*>(base) + r * stride, config.bytes[t]);
}

inline void store(int t, void* base, long stride) {
    for (int r = 0; r < config.rows[t]; ++r)
        std::memcpy(static_cast<char*>(base) + r * stride, tiles[t][r], config.bytes[t]);
}

template <class T>
T at(int t, int row, int i) {
    T value;
    std::memcpy(&value, tiles[t][row] + i * sizeof(T), sizeof(T));
    return value;
}

inline float widened(std::uint16_t x) {
    const std::uint32_t bits = std::uint32_t{x} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// c[m][n] += the sum over k of a[m][2k] b[k][2n] + a[m][2k + 1] b[k][2n + 1]
inline void dpbf16ps(int c, int a, int b) {
    for (int m = 0; m < config.rows[c]; ++m)
        for (int n = 0; n < config.bytes[c] / 4; ++n) {
            float sum = at<float>(c, m, n);
            for (int k = 0; k < config.bytes[a] / 4; ++k)
                for (int i = 0; i < 2; ++i)
                    sum += widened(at<std::uint16_t>(a, m, 2 * k + i)) * widened(at<std::uint16_t>(b, k, 2 * n + i));
            std::memcpy(tiles[c][m] + n * sizeof sum, &sum, sizeof sum);
        }
}

}  // namespace amx_emulation

#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(config_) std::memcpy(&amx_emulation::config, config_, 64)
#define _tile_release() std::memset(&amx_emulation::config, 0, 64)
#define _tile_loadd amx_emulation::load
#define _tile_stored amx_emulation::store
#define _tile_dpbf16ps amx_emulation::dpbf16ps
