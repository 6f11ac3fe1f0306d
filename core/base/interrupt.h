// How a long call is ended early: between two pieces of work it asks whether it shall stop.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>

namespace hashslide {

// Ends a call from within; whoever made the LongCall knows the reason.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

class LongCall;

namespace detail {

struct Calling {
    LongCall* call = nullptr;
    bool is_owner = false;
};
extern thread_local constinit Calling calling;

}  // namespace detail

// While it lives, poll() on this thread, and on the pool's threads that work for it, ends the call if `ask` throws.
// `ask` runs on this thread alone, at most every 50 ms.
class LongCall {
public:
    using Ask = void (*)();

    explicit LongCall(Ask ask);
    ~LongCall() { detail::calling = before_; }
    LongCall(const LongCall&) = delete;

    // What `ask` threw, after an Interrupted.
    [[noreturn]] void rethrow_reason() const { std::rethrow_exception(reason_); }

    void check(bool is_owner);

private:
    using Clock = std::chrono::steady_clock;

    Ask ask_;
    detail::Calling before_;
    Clock::time_point next_;
    std::exception_ptr reason_;
    std::atomic<bool> stopped_ = false;
};

// To be called between pieces of work of up to some milliseconds. Throws Interrupted if the call shall end. Nothing is
// to be left half done around it: memory of the thread, of the model.
inline void poll() {
    if (detail::calling.call) detail::calling.call->check(detail::calling.is_owner);
}

// Takes part in another thread's call while it lives; null: in none, so that what has begun is finished.
class TakePart {
public:
    explicit TakePart(LongCall* call) : before_(detail::calling) { detail::calling = {call, false}; }
    ~TakePart() { detail::calling = before_; }
    TakePart(const TakePart&) = delete;

private:
    detail::Calling before_;
};

// While it lives, poll() on this thread does nothing: of changes that have to be made as a whole.
class Whole : TakePart {
public:
    Whole() : TakePart(nullptr) {}
};

}  // namespace hashslide
