#include "bind/released.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/model_lock.h"

namespace nb = nanobind;

namespace hashslide {
namespace {

std::atomic<int> n_released = 0;  // threads in the core that want the lock back
std::atomic<bool> is_ending = false;
std::thread::id ending_thread;

// The thread that ends the interpreter may still use the core, in other exit handlers.
bool must_not_return() { return is_ending && std::this_thread::get_id() != ending_thread; }

[[noreturn]] void sleep_for_ever() {
    --n_released;
    for (;;) ::pause();
}

// Runs at exit, before Python shuts down: stops the calls of daemon threads and waits until none of them wants the lock
// or computes any more, as the libraries below are unloaded next. Pieces of work are short; a function of the user's
// own may not be.
void end_calls() {
    constexpr std::chrono::milliseconds step{1}, longest{10'000};
    ending_thread = std::this_thread::get_id();
    is_ending = true;
    const nb::gil_scoped_release release;
    for (auto waited = step; n_released > 0 && waited < longest; waited += step) std::this_thread::sleep_for(step);
}

}  // namespace

Released::Released() {
    ++n_released;
    state_ = PyEval_SaveThread();
    if (must_not_return()) sleep_for_ever();
}

Released::~Released() {
    if (must_not_return()) sleep_for_ever();
    PyEval_RestoreThread(state_);
    --n_released;
}

void ask_python() {
    if (must_not_return()) throw Interrupted();
    const nb::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

void refuse_at_exit() {
    if (is_ending && std::this_thread::get_id() == ending_thread)
        throw ModelLock::Refused("the model was being trained by another thread when the interpreter ended.");
}

void bind_exit(nb::module_& m) {
    m.def("end_calls", &end_calls, "Stop the calls that run on other threads, for ever.");
    nb::module_::import_("atexit").attr("register")(m.attr("end_calls"));
    // The other threads of a process do not exist in its forked children.
    pthread_atfork(nullptr, nullptr, [] { n_released = 0; });
}

}  // namespace hashslide
