#include "network/model_lock.h"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <new>

#include "base/interrupt.h"

namespace hashslide {
namespace {

constexpr std::chrono::milliseconds poll_interval{50};
constexpr std::chrono::seconds fork_patience{5};

// All locks of the process, for forks. Never destroyed: models may outlive static objects.
struct Registry {
    std::mutex mutex;
    std::vector<std::weak_ptr<ModelLock>> locks;
    std::vector<std::shared_ptr<ModelLock>> forking;  // while a fork is under way
};
Registry& registry() {
    static Registry* const all = new Registry;
    return *all;
}

}  // namespace

std::shared_ptr<ModelLock> ModelLock::make() {
    static const int registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    (void)registered;
    std::shared_ptr<ModelLock> lock(new ModelLock);
    Registry& all = registry();
    const std::lock_guard guard(all.mutex);
    if (std::has_single_bit(all.locks.size())) std::erase_if(all.locks, [](const auto& l) { return l.expired(); });
    all.locks.push_back(lock);
    return lock;
}

void ModelLock::acquire(Mode mode) { acquire(mode, Clock::time_point::max()); }

bool ModelLock::try_acquire(Mode mode) { return acquire(mode, Clock::time_point::min()); }

bool ModelLock::acquire(Mode mode, Clock::time_point until) {
    std::unique_lock lock(mutex_);
    refuse_if_torn();
    switch (mode) {
        case Mode::reading:
            return read(lock, until);
        case Mode::training:
            return train(lock, until);
        case Mode::writing:
            return write(lock, until);
    }
    return false;
}

// False if it is not ready in time.
template <class Ready>
bool ModelLock::wait(std::unique_lock<std::mutex>& lock, Clock::time_point until, const Ready& is_ready) {
    while (!is_ready()) {
        const auto now = Clock::now();
        if (now >= until) return false;
        changed_.wait_for(lock, std::min<Clock::duration>(poll_interval, until - now));
        lock.unlock();
        try {
            poll();
        } catch (...) {
            lock.lock();
            throw;
        }
        lock.lock();
    }
    return true;
}

bool ModelLock::read(std::unique_lock<std::mutex>& lock, Clock::time_point until) {
    const Thread me = std::this_thread::get_id();
    if (Reader* mine = reader(me)) {
        ++mine->depth;
        return true;
    }
    if (trainer_ != me && is_written()) {
        struct Waiting {
            ModelLock& self;
            explicit Waiting(ModelLock& l) : self(l) { ++self.waiting_readers_; }
            ~Waiting() {
                --self.waiting_readers_;
                self.readers_turn_ = std::min(self.readers_turn_, self.waiting_readers_);
                self.changed_.notify_all();
            }
        } waiting(*this);
        if (!wait(lock, until, [&] { return write_depth_ == 0 && (!wants_to_write_ || readers_turn_ > 0); }))
            return false;
        if (readers_turn_ > 0) --readers_turn_;
    }
    readers_.push_back({me, 1});
    return true;
}

bool ModelLock::train(std::unique_lock<std::mutex>& lock, Clock::time_point until) {
    const Thread me = std::this_thread::get_id();
    if (trainer_ != me) {
        refuse_readers();
        ++waiting_trainers_;
        const auto is_free = [&] { return train_depth_ == 0 && (last_trainer_ != me || waiting_trainers_ == 1); };
        bool is_mine = false;
        try {
            is_mine = wait(lock, until, is_free);
        } catch (...) {
            --waiting_trainers_;
            changed_.notify_all();
            throw;
        }
        --waiting_trainers_;
        if (!is_mine) return false;
        trainer_ = last_trainer_ = me;
    }
    ++train_depth_;
    return true;
}

bool ModelLock::write(std::unique_lock<std::mutex>& lock, Clock::time_point until) {
    if (write_depth_ == 0 || trainer_ != std::this_thread::get_id()) {
        refuse_readers();
        if (!train(lock, until)) return false;
        wants_to_write_ = true;
        bool is_mine = false;
        try {
            is_mine = wait(lock, until, [&] { return readers_.empty() && readers_turn_ == 0; });
        } catch (...) {
            wants_to_write_ = false;
            leave_training();
            throw;
        }
        wants_to_write_ = false;
        if (!is_mine) {
            leave_training();
            return false;
        }
    } else {
        ++train_depth_;
    }
    ++write_depth_;
    return true;
}

void ModelLock::release(Mode mode) {
    const std::lock_guard lock(mutex_);
    if (mode == Mode::reading) {
        Reader* mine = reader(std::this_thread::get_id());
        if (--mine->depth > 0) return;
        *mine = readers_.back();
        readers_.pop_back();
        if (readers_.empty()) changed_.notify_all();
        return;
    }
    if (mode == Mode::writing && --write_depth_ == 0) {
        readers_turn_ = waiting_readers_;
        changed_.notify_all();
    }
    leave_training();
}

void ModelLock::leave_training() {
    if (--train_depth_ == 0) trainer_ = Thread();
    changed_.notify_all();
}

ModelLock::Reader* ModelLock::reader(Thread thread) {
    const auto found = std::ranges::find(readers_, thread, &Reader::thread);
    return found == readers_.end() ? nullptr : &*found;
}

void ModelLock::refuse_if_torn() const {
    if (is_torn_)
        throw Refused(
            "this copy of the model cannot be used: another thread was changing it when the process forked. Load or "
            "pickle the model into the child, or fork while no thread trains.");
}

void ModelLock::refuse_readers() {
    if (reader(std::this_thread::get_id()))
        throw Refused(
            "this thread is in the middle of a prediction or of saving this model, so it cannot change the model now. "
            "Do so after that call.");
}

std::vector<std::shared_ptr<ModelLock>> ModelLock::hold_all() {
    const Whole whole;
    std::vector<std::shared_ptr<ModelLock>> all, held;
    {
        Registry& known = registry();
        const std::lock_guard guard(known.mutex);
        for (const auto& lock : known.locks)
            if (auto alive = lock.lock()) all.push_back(std::move(alive));
    }
    const auto until = Clock::now() + fork_patience;
    for (auto& lock : all)
        if (!lock->is_torn_ && lock->acquire(Mode::reading, until)) held.push_back(std::move(lock));
    return held;
}

void ModelLock::release_all(const std::vector<std::shared_ptr<ModelLock>>& held) {
    for (const auto& lock : held) lock->release(Mode::reading);
}

// The state of every lock is whole while the process forks.
void ModelLock::before_fork() {
    Registry& all = registry();
    all.mutex.lock();
    for (const auto& lock : all.locks)
        if (auto alive = lock.lock()) all.forking.push_back(std::move(alive));
    for (const auto& lock : all.forking) lock->mutex_.lock();
}

void ModelLock::after_fork_in_parent() {
    Registry& all = registry();
    for (const auto& lock : all.forking) lock->mutex_.unlock();
    all.forking.clear();
    all.mutex.unlock();
}

void ModelLock::after_fork_in_child() {
    for (const auto& lock : registry().forking) lock->forget_other_threads();
    after_fork_in_parent();
}

void ModelLock::forget_other_threads() {
    const Thread me = std::this_thread::get_id();
    std::erase_if(readers_, [me](const Reader& r) { return r.thread != me; });
    if (train_depth_ > 0 && trainer_ != me) {
        is_torn_ |= write_depth_ > 0;
        trainer_ = Thread();
        train_depth_ = write_depth_ = 0;
    }
    wants_to_write_ = false;
    waiting_readers_ = waiting_trainers_ = readers_turn_ = 0;
    new (&changed_) std::condition_variable;  // the old one may count threads that wait and do not exist
}

}  // namespace hashslide
