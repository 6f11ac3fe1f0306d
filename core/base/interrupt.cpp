#include "base/interrupt.h"

namespace hashslide {
namespace {

constexpr std::chrono::milliseconds interval{50};

}  // namespace

thread_local constinit detail::Calling detail::calling;

LongCall::LongCall(Ask ask) : ask_(ask), before_(detail::calling), next_(Clock::now() + interval) {
    detail::calling = {this, true};
}

void LongCall::check(bool is_owner) {
    if (stopped_.load(std::memory_order_relaxed)) throw Interrupted();
    if (!is_owner || Clock::now() < next_) return;
    try {
        ask_();
    } catch (...) {
        reason_ = std::current_exception();
        stopped_ = true;
        throw Interrupted();
    }
    next_ = Clock::now() + interval;
}

}  // namespace hashslide
