#include "python/released.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <mutex>
#include <thread>

#include "network/model_lock.h"

namespace nb = nanobind;

namespace hashslide {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<int> n_released = 0;  // threads in the core that want the lock back
std::atomic<bool> is_ending = false;
std::thread::id ending_thread;

// The threads of Python that call the core.
struct Visitor {
    std::thread::id thread = std::this_thread::get_id();
    Clock::time_point last = Clock::now();  // when it called the core or came back
    int guards = 0;                         // locks of models that it holds: it is in methods of theirs
    bool sleeps = false;                    // for ever
};
struct Visitors {
    std::mutex mutex;
    std::list<Visitor> all;
};
Visitors& visitors() {
    static Visitors* const known = new Visitors;  // threads may outlive static objects
    return *known;
}

// On the list as long as its thread lives.
class Visit {
public:
    Visit() {
        const std::lock_guard lock(visitors().mutex);
        me_ = visitors().all.insert(visitors().all.end(), Visitor{});
    }
    ~Visit() {
        const std::lock_guard lock(visitors().mutex);
        visitors().all.erase(me_);
    }
    Visit(const Visit&) = delete;
    void is_here(int more_guards = 0) {
        const std::lock_guard lock(visitors().mutex);
        me_->last = Clock::now();
        me_->guards += more_guards;
    }
    void sleeps() {
        const std::lock_guard lock(visitors().mutex);
        me_->sleeps = true;
    }

private:
    std::list<Visitor>::iterator me_;
};
Visit& visit() {
    thread_local Visit mine;
    return mine;
}

// Another thread is between two calls: in a method of a model, or it has just been in the core. It may be anywhere, in
// C++ code of other libraries too.
bool is_about_to_call() {
    constexpr std::chrono::milliseconds recent{300};
    const auto now = Clock::now();
    const std::lock_guard lock(visitors().mutex);
    return std::ranges::any_of(visitors().all, [=](const Visitor& v) {
        return v.thread != ending_thread && !v.sleeps && (v.guards > 0 || v.last + recent > now);
    });
}

// The thread that ends the interpreter may still use the core, in other exit handlers.
bool must_not_return() { return is_ending && std::this_thread::get_id() != ending_thread; }

[[noreturn]] void sleep_for_ever() {
    visit().sleeps();
    --n_released;
    for (;;) ::pause();
}

// Runs at exit, before Python shuts down: stops the calls of daemon threads and waits until none of them wants the lock
// or computes any more, as the libraries below are unloaded next. Pieces of work are short; a function of the user's
// own may not be. Threads in methods of models, and those that call the core again and again, are waited for too: they
// stay in their next call.
void end_calls() {
    constexpr std::chrono::milliseconds step{1}, longest{10'000};
    ending_thread = std::this_thread::get_id();
    is_ending = true;
    const nb::gil_scoped_release release;
    for (auto waited = step; (n_released > 0 || is_about_to_call()) && waited < longest; waited += step)
        std::this_thread::sleep_for(step);
}

}  // namespace

Released::Released() {
    visit().is_here();
    ++n_released;
    state_ = PyEval_SaveThread();
    if (must_not_return()) sleep_for_ever();
}

Released::~Released() {
    if (must_not_return()) sleep_for_ever();
    visit().is_here();
    PyEval_RestoreThread(state_);
    --n_released;
}

void stay_at_exit() {
    if (!must_not_return()) return;
    ++n_released;
    PyEval_SaveThread();
    sleep_for_ever();
}

void count_guards(int more) { visit().is_here(more); }

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
    nb::set_leak_warnings(false);  // daemon threads keep what they have at exit, and that is no fault
    m.def("end_calls", &end_calls, "Stop the calls that run on other threads, for ever.");
    nb::module_::import_("atexit").attr("register")(m.attr("end_calls"));
    // The other threads of a process do not exist in its forked children.
    pthread_atfork([] { visitors().mutex.lock(); }, [] { visitors().mutex.unlock(); },
                   [] {
                       n_released = 0;
                       const auto me = std::this_thread::get_id();
                       std::erase_if(visitors().all, [me](const Visitor& v) { return v.thread != me; });
                       visitors().mutex.unlock();
                   });
}

}  // namespace hashslide
