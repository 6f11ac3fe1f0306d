// Arrays of the model's size: zero pages until they are touched, advised for huge pages, or borrowed from a file map.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

#include "base/interrupt.h"
#include "base/types.h"

namespace hashslide {

// Asks for n items at p ahead of their use. Rows of weights are met in no order that the hardware could foresee.
template <class T>
inline void prefetch(const T* p, Index n) {
    constexpr Index line = 64 / sizeof(T);
    for (Index i = 0; i < n; i += line) __builtin_prefetch(p + i);
}

// Owned memory comes from mmap: it starts as zeros and costs nothing before its first use. Borrowed memory is read-only
// (a memory-mapped model file); `own()` copies it before the first write.
template <class T>
class Array {
public:
    Array() = default;
    explicit Array(Index size) : data_(allocate(size)), size_(size), owned_(size > 0) {}
    static Array borrow(const T* data, Index size) {
        Array a;
        a.data_ = const_cast<T*>(data);
        a.size_ = size;
        return a;
    }
    Array(Array&& other) noexcept { swap(other); }
    Array& operator=(Array&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Array() {
        if (owned_) ::munmap(data_, bytes(size_));
    }

    Index size() const { return size_; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](Index i) { return data_[i]; }
    const T& operator[](Index i) const { return data_[i]; }

    void own() {
        if (!owned_) resize(size_);
    }
    // Keeps the first min(old, new) items; new items are zero.
    void resize(Index size) {
        if (owned_ && size == size_) return;
        constexpr Index piece = (Index{64} << 20) / static_cast<Index>(sizeof(T));
        Array larger(size);
        const Index kept = std::min(size, size_);
        for (Index first = 0; first < kept; first += piece) {
            poll();
            std::copy_n(data_ + first, std::min(piece, kept - first), larger.data_ + first);
        }
        swap(larger);
    }

private:
    static constexpr Index huge_page = Index{2} << 20;

    static std::size_t bytes(Index size) { return static_cast<std::size_t>(size) * sizeof(T); }
    static T* allocate(Index size) {
        if (size == 0) return nullptr;
        void* p = ::mmap(nullptr, bytes(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        if (static_cast<Index>(bytes(size)) >= huge_page) ::madvise(p, bytes(size), MADV_HUGEPAGE);
#endif
        return static_cast<T*>(p);
    }
    void swap(Array& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(owned_, other.owned_);
    }

    T* data_ = nullptr;
    Index size_ = 0;
    bool owned_ = false;
};

}  // namespace hashslide
