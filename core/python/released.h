// Calls of the core without the interpreter's lock: they hear signals, and the interpreter can end while they run.
#pragma once

#include <nanobind/nanobind.h>

#include "base/interrupt.h"

namespace hashslide {

// Takes the lock back when it dies. Once the interpreter ends it has no lock to give any more: a thread that asks for
// it would be torn out of C++ code. So a thread that returns by then sleeps until the process ends.
class Released {
public:
    Released();
    ~Released();
    Released(const Released&) = delete;

private:
    PyThreadState* state_;
};

// Throws what Python's signal handlers raise: KeyboardInterrupt on Ctrl-C. They run on the main thread alone.
void ask_python();

// f() without the interpreter's lock; poll() ends it on a signal.
template <class F>
auto released(F&& f) {
    const Released lock;
    const LongCall call(ask_python);
    try {
        return f();
    } catch (const Interrupted&) {
        call.rethrow_reason();
    }
}

// Throws if the interpreter ends and this is the thread that ends it: nobody else comes to the end of a call any more,
// so there is nothing to wait for.
void refuse_at_exit();

// At exit, any thread but the one that ends the interpreter sleeps here until the process ends.
void stay_at_exit();

// This thread holds so many more locks of models. At exit, a thread that holds one is waited for until it calls the
// core.
void count_guards(int more);

void bind_exit(nanobind::module_& m);
void bind_lock(nanobind::module_& m);

}  // namespace hashslide
