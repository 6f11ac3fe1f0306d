// A vector whose memory can be handed over: it grows by realloc, and large blocks are then remapped by the system
// instead of copied, so the items are never held twice.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <span>
#include <type_traits>

#include "base/types.h"

namespace hashslide {

template <class T>
class GrowingArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    GrowingArray() = default;
    GrowingArray(const GrowingArray&) = delete;
    GrowingArray& operator=(const GrowingArray&) = delete;
    ~GrowingArray() { std::free(data_); }

    Index size() const { return static_cast<Index>(size_); }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    T& operator[](Index i) { return data_[i]; }
    std::span<T> from(Index first) { return {data_ + first, size_ - static_cast<std::size_t>(first)}; }

    void push_back(T item) {
        if (size_ == capacity_) reallocate(capacity_ + capacity_ / 2 + 64);
        data_[size_++] = item;
    }
    void truncate(Index size) { size_ = static_cast<std::size_t>(size); }

    // The caller frees the block with std::free; it holds exactly size() items (one at least, so it is never null).
    T* release() {
        reallocate(size_ > 0 ? size_ : 1);
        T* block = data_;
        data_ = nullptr;
        size_ = capacity_ = 0;
        return block;
    }

private:
    void reallocate(std::size_t capacity) {
        void* block = std::realloc(data_, capacity * sizeof(T));
        if (block == nullptr) throw std::bad_alloc();
        data_ = static_cast<T*>(block);
        capacity_ = capacity;
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace hashslide
