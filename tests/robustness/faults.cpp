// Preloaded into a test: makes the n-th call of a function of the system fail, as a full disk or memory would.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

const char* target = "";  // name of the function
int error_number = 0;
std::atomic<int> remaining, fired;

bool fails(const char* name) {
    if (std::strcmp(name, target) != 0 || --remaining != 0) return false;
    fired = 1;
    errno = error_number;
    return true;
}

template <class Function>
Function* real(Function*, const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void* operator new(std::size_t size) {
    constexpr std::size_t small = 512;  // the bindings and the interpreter's own objects do not count
    if (size >= small && fails("new")) throw std::bad_alloc();
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}

void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

extern "C" {

void faults_arm(const char* name, int n, int number) {
    remaining = n;
    error_number = number;
    fired = 0;
    target = name;
}

int faults_disarm() {
    target = "";
    return fired;
}

ssize_t write(int fd, const void* data, size_t size) {
    return fails("write") ? -1 : real(&write, "write")(fd, data, size);
}

ssize_t read(int fd, void* data, size_t size) { return fails("read") ? -1 : real(&read, "read")(fd, data, size); }

int fsync(int fd) { return fails("fsync") ? -1 : real(&fsync, "fsync")(fd); }

int fchmod(int fd, mode_t mode) { return fails("fchmod") ? -1 : real(&fchmod, "fchmod")(fd, mode); }

int renameat(int a, const char* from, int b, const char* to) {
    return fails("rename") ? -1 : real(&renameat, "renameat")(a, from, b, to);
}

int linkat(int a, const char* from, int b, const char* to, int flags) {
    return fails("link") ? -1 : real(&linkat, "linkat")(a, from, b, to, flags);
}

static int opens(const char* symbol, int folder, const char* path, int flags, mode_t mode) {
    return fails("open") ? -1 : real(&openat, symbol)(folder, path, flags, mode);
}

#define MODE_OF(flags)                                    \
    mode_t mode = 0;                                      \
    if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
        va_list arguments;                                \
        va_start(arguments, flags);                       \
        mode = va_arg(arguments, mode_t);                 \
        va_end(arguments);                                \
    }

int open(const char* path, int flags, ...) {
    MODE_OF(flags);
    return opens("openat", AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    MODE_OF(flags);
    return opens("openat64", AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
    MODE_OF(flags);
    return opens("openat", folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
    MODE_OF(flags);
    return opens("openat64", folder, path, flags, mode);
}

void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails("mmap") ? MAP_FAILED : real(&mmap, "mmap")(at, size, protection, flags, fd, offset);
}

void* mmap64(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails("mmap") ? MAP_FAILED : real(&mmap64, "mmap64")(at, size, protection, flags, fd, offset);
}

}  // extern "C"
