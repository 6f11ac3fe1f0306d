// The inner loops of one step, as a table of functions: one table an instruction set, chosen when the module loads.
#pragma once

#include <string>
#include <vector>

#include "types.h"

namespace hashslide {

struct Kernels {
    const char* isa;
    void (*axpy)(Index n, float a, const float* x, float* y);  // y += a x
    float (*dot)(Index n, const float* x, const float* y);     // sum of x y
    // out = x y in integers, x (rows, n).
    void (*dots_int8)(Index rows, Index n, const std::int8_t* x, const std::int16_t* y, std::int32_t* out);
    float (*sum_of_squares)(Index n, const float* x);  // sum of x^2
    float (*maximum)(Index n, const float* x);         // of n >= 1 values
    void (*scale)(Index n, float a, float* x);         // x *= a
    void (*tanh)(Index n, float* x);                   // x = tanh(x)
    // z becomes sigmoid(z); returns the sum of log(1 + exp(z)), the loss if every label were false.
    double (*sigmoid_loss)(Index n, float* z);
    // z becomes exp(z - shift); returns the sum.
    double (*exp_sum)(Index n, float shift, float* z);
    // One row of Adam: m and v are the moments; rate and the corrections of their bias are given.
    struct AdamStep {
        float rate, beta1, beta2, correction1, correction2, epsilon;
    };
    void (*adam)(Index n, const AdamStep& step, const float* g, float* m, float* v, float* w);
};

// The table in use. The environment variable HASHSLIDE_ISA names one; otherwise it is the best that the CPU has.
const Kernels& kernels();

std::vector<std::string> built_isas();
std::vector<std::string> supported_isas();  // those of built_isas() that this CPU runs

}  // namespace hashslide
