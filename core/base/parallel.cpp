#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace hashslide {
namespace {

constexpr int max_threads = 256;

void pause_cpu() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// The control register of floating-point arithmetic, and its bits for flushing denormals.
#if defined(__x86_64__)
constexpr unsigned long long flush_bits = 0x8040;
unsigned long long float_control() { return _mm_getcsr(); }
void set_float_control(unsigned long long value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr unsigned long long flush_bits = 1ULL << 24;
unsigned long long float_control() {
    unsigned long long value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
}
void set_float_control(unsigned long long value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr unsigned long long flush_bits = 0;
unsigned long long float_control() { return 0; }
void set_float_control(unsigned long long) {}
#endif

// One parallel_for: chunks are claimed by an atomic counter until none is left.
struct Job {
    Job(const std::function<void(Index)>& f, Index n) : chunk(&f), n_chunks(n) {}

    const std::function<void(Index)>* chunk;
    Index n_chunks;
    std::atomic<Index> next{0};
    LongCall* call = detail::calling.call;  // of the thread that waits for the job
    std::exception_ptr error;
    std::mutex error_mutex;

    void work() {
        for (Index i = next.fetch_add(1); i < n_chunks; i = next.fetch_add(1)) {
            try {
                poll();
                (*chunk)(i);
            } catch (...) {
                std::lock_guard lock(error_mutex);
                if (!error) error = std::current_exception();
                next.store(n_chunks);
            }
        }
    }
};

// The jobs of a step follow each other within microseconds, and waking a sleeping thread takes some fifty: so a waiting
// thread looks for a moment before it sleeps.
template <class Condition>
void look(const Condition& happened) {
    constexpr int looks = 2000;
    for (int i = 0; i < looks && !happened(); ++i) pause_cpu();
}

// Workers sleep between jobs; they live until the process ends and are never joined (a module cannot know when
// the interpreter is finished with it).
class Pool {
public:
    void run(int n_threads, Job& job) {
        {
            std::lock_guard lock(mutex_);
            const int helpers = static_cast<int>(std::min<Index>({n_threads, max_threads, job.n_chunks})) - 1;
            while (n_workers_ < helpers && start_worker()) {
            }
            job_ = &job;
            wanted_ = std::min(helpers, n_workers_);
            ++generation_;
        }
        wake_.notify_all();
        job.work();
        look([&] { return busy_ == 0; });
        std::unique_lock lock(mutex_);
        wanted_ = 0;
        done_.wait(lock, [&] { return busy_ == 0; });
        job_ = nullptr;
    }

    std::mutex entry;  // held by the one caller that uses the workers

private:
    // False where the system grants no further thread: the work is then done by those that there are.
    bool start_worker() {
        try {
            std::thread([this, seen = generation_.load()] {
                const FlushDenormals flush;
                worker(seen);
            }).detach();
        } catch (const std::system_error&) {
            return false;
        }
        ++n_workers_;
        return true;
    }

    void worker(std::uint64_t seen) {
        for (;;) {
            look([&] { return generation_ != seen; });
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return generation_ != seen; });
            seen = generation_;
            if (wanted_ == 0) continue;
            --wanted_;
            ++busy_;
            Job* job = job_;
            lock.unlock();
            {
                const TakePart part(job->call);
                job->work();
            }
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
            lock.unlock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    Job* job_ = nullptr;
    int n_workers_ = 0;
    std::atomic<int> wanted_ = 0, busy_ = 0;  // changed under the mutex, looked at without
    std::atomic<std::uint64_t> generation_ = 0;
};

std::atomic<Pool*> current_pool{nullptr};
thread_local bool inside_job = false;

// A forked child has none of its parent's threads: it starts a new pool and leaks the old one, whose locks may be held.
Pool& pool() {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });
    (void)registered;
    Pool* p = current_pool.load();
    if (!p) {
        Pool* fresh = new Pool;
        if (current_pool.compare_exchange_strong(p, fresh)) return *fresh;
        delete fresh;
    }
    return *p;
}

// CPUs granted by the control group: quota / period, or a large number when there is no limit.
double cgroup_cpus() {
    std::ifstream v2("/sys/fs/cgroup/cpu.max");
    std::string quota;
    double period = 0;
    if (v2 >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
    std::ifstream q1("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), p1("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    double q = 0;
    if (q1 >> q && p1 >> period && q > 0 && period > 0) return q / period;
    return 1e9;
}

int affinity_cpus() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

FlushDenormals::FlushDenormals() : saved_(float_control()) { set_float_control(saved_ | flush_bits); }

FlushDenormals::~FlushDenormals() { set_float_control(saved_); }

int available_cpus() {
    const double granted = std::min<double>(affinity_cpus(), std::ceil(cgroup_cpus()));
    return std::max(1, static_cast<int>(granted));
}

void detail::run_chunks(int n_threads, Index n_chunks, const std::function<void(Index)>& chunk) {
    Job job(chunk, n_chunks);
    Pool& workers = pool();
    std::unique_lock entry(workers.entry, std::defer_lock);
    if (inside_job || !entry.try_lock()) {
        for (Index i = 0; i < n_chunks; ++i) {
            poll();
            chunk(i);
        }
        return;
    }
    inside_job = true;
    workers.run(n_threads, job);
    inside_job = false;
    if (job.error) std::rethrow_exception(job.error);
}

}  // namespace hashslide
