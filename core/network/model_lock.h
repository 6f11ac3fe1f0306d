// The lock of a model that several threads read, train and change.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace hashslide {

// Three ways of holding it, each any number of times by the same thread:
//   reading   with other readers: predictions, saving
//   training  one thread at a time, while others read: a sequence of changes, such as a fit
//   writing   alone; part of training: one change, such as a step
// Neither starves: a thread that waits to write holds off new readers, and after it has written those who wait for it
// come first; a thread that has trained lets another one train before it does so again.
class ModelLock : public std::enable_shared_from_this<ModelLock> {
public:
    enum class Mode { reading, training, writing };

    struct Refused : std::runtime_error {
        using std::runtime_error::runtime_error;
    };

    static std::shared_ptr<ModelLock> make();

    // Waits, and polls for an interruption. Refused: this thread reads, so that it would wait for itself; or the model
    // was half changed by another thread when the process forked.
    void acquire(Mode mode);
    bool try_acquire(Mode mode);
    void release(Mode mode);

    // Before a fork: holds the locks of all models for reading, so that the child gets whole ones, but waits for none
    // longer than some seconds. Afterwards, in both processes, with what it has returned: lets them go.
    static std::vector<std::shared_ptr<ModelLock>> hold_all();
    static void release_all(const std::vector<std::shared_ptr<ModelLock>>& held);

private:
    using Thread = std::thread::id;
    using Clock = std::chrono::steady_clock;
    struct Reader {
        Thread thread;
        int depth;
    };

    ModelLock() = default;
    template <class Ready>
    bool wait(std::unique_lock<std::mutex>& lock, Clock::time_point until, const Ready& is_ready);
    bool read(std::unique_lock<std::mutex>& lock, Clock::time_point until);
    bool train(std::unique_lock<std::mutex>& lock, Clock::time_point until);
    bool write(std::unique_lock<std::mutex>& lock, Clock::time_point until);
    bool acquire(Mode mode, Clock::time_point until);
    Reader* reader(Thread thread);
    bool is_written() const { return write_depth_ > 0 || wants_to_write_; }
    void refuse_if_torn() const;
    void refuse_readers();
    void leave_training();
    void forget_other_threads();  // in a forked child

    static void before_fork();
    static void after_fork_in_parent();
    static void after_fork_in_child();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Reader> readers_;
    Thread trainer_, last_trainer_;
    int train_depth_ = 0, write_depth_ = 0;
    bool wants_to_write_ = false;
    int waiting_readers_ = 0, waiting_trainers_ = 0;
    int readers_turn_ = 0;  // of the waiting readers, how many come before the next writer
    bool is_torn_ = false;
};

}  // namespace hashslide
