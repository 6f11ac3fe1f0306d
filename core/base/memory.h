// Arrays of the model's size: zero pages until they are touched, advised for huge pages, or borrowed from a file map.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "base/interrupt.h"
#include "base/types.h"

namespace hashslide {

// Owned memory comes from mmap: it starts as zeros and costs nothing before its first use. Borrowed memory is read-only
// (a memory-mapped model file); `own()` copies it before the first write. Whoever else holds `keeper()`, such as a view
// that was handed out, keeps the memory when the array has moved on to another.
template <class T>
class Array {
public:
    Array() = default;
    explicit Array(Index size)
        : memory_(allocate(size)), data_(static_cast<T*>(memory_.get())), size_(size), capacity_(size) {}
    // keeper: holds the memory.
    static Array borrow(const T* data, Index size, std::shared_ptr<void> keeper) {
        Array a;
        a.memory_ = std::move(keeper);
        a.data_ = const_cast<T*>(data);
        a.size_ = size;
        return a;
    }
    Array(Array&& other) noexcept { swap(other); }
    Array& operator=(Array&& other) noexcept {
        swap(other);
        return *this;
    }

    Index size() const { return size_; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](Index i) { return data_[i]; }
    const T& operator[](Index i) const { return data_[i]; }
    const std::shared_ptr<void>& keeper() const { return memory_; }

    void own() {
        if (capacity_ < size_) move_to(size_, size_);
    }
    // Keeps the first min(old, new) items; new items are zero. O(new items) on average where an array grows again and
    // again: it gets room for half as many more, which costs address space but no memory.
    void resize(Index size) {
        if (size == size_) return own();
        if (size < size_ || size > capacity_)
            move_to(size, size < size_ || size_ == 0 ? size : std::max(size, size_ + size_ / 2));
        size_ = size;
    }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    static std::shared_ptr<void> allocate(Index items) {
        if (items == 0) return nullptr;
        const std::size_t bytes = static_cast<std::size_t>(items) * sizeof(T);
        void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        if (bytes >= huge_page) ::madvise(p, bytes, MADV_HUGEPAGE);
#endif
        return {p, [bytes](void* memory) { ::munmap(memory, bytes); }};
    }
    void move_to(Index size, Index capacity) {
        constexpr Index piece = (Index{64} << 20) / static_cast<Index>(sizeof(T));
        std::shared_ptr<void> memory = allocate(capacity);
        T* data = static_cast<T*>(memory.get());
        const Index kept = std::min(size, size_);
        for (Index first = 0; first < kept; first += piece) {
            poll();
            std::copy_n(data_ + first, std::min(piece, kept - first), data + first);
        }
        memory_ = std::move(memory);
        data_ = data;
        size_ = size;
        capacity_ = capacity;
    }
    void swap(Array& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    std::shared_ptr<void> memory_;
    T* data_ = nullptr;
    Index size_ = 0;
    Index capacity_ = 0;  // items for which there is room; 0: borrowed
};

}  // namespace hashslide
