// RefCounted and RefPtr: shared ownership with the count inside the object (one allocation, one
// word a pointer). For objects that several threads hold by nature: memory blocks, calls under way.
//
// Thread rule: the count is atomic; the object's own rules are its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace pt {

class RefCounted {
 public:
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void AddRef() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void DropRef() const {
    // The last holder needs no atomic write: nobody else can see the object.
    if (count_.load(std::memory_order_acquire) == 1 ||
        count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      const_cast<RefCounted*>(this)->Dispose();
    }
  }
  // True when the caller holds the only reference.
  bool is_unique() const { return count_.load(std::memory_order_acquire) == 1; }

 protected:
  RefCounted() = default;
  virtual ~RefCounted() = default;
  // What happens when the last reference goes; a pooled object returns itself instead.
  virtual void Dispose() { delete this; }
  // For a pooled object that is handed out again. REQUIRES: no reference is left.
  void ResetCount() { count_.store(0, std::memory_order_relaxed); }

 private:
  mutable std::atomic<int> count_{0};
};

template <typename T>
class RefPtr {
 public:
  RefPtr() = default;
  RefPtr(std::nullptr_t) {}  // NOLINT: implicit on purpose
  explicit RefPtr(T* object) : object_(object) { Add(); }
  RefPtr(const RefPtr& other) : object_(other.object_) { Add(); }
  RefPtr(RefPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
  RefPtr(const RefPtr<U>& other) : object_(other.get()) {
    Add();
  }  // NOLINT: implicit on purpose
  template <typename U>
  RefPtr(RefPtr<U>&& other) noexcept : object_(other.Release()) {}  // NOLINT: implicit on purpose
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~RefPtr() {
    if (object_ != nullptr) object_->DropRef();
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // Gives the reference away; the caller must adopt or drop it.
  [[nodiscard]] T* Release() { return std::exchange(object_, nullptr); }
  void Reset() { RefPtr().Swap(*this); }
  void Swap(RefPtr& other) noexcept { std::swap(object_, other.object_); }

 private:
  void Add() {
    if (object_ != nullptr) object_->AddRef();
  }
  T* object_ = nullptr;
};

template <typename T, typename... Args>
RefPtr<T> MakeRef(Args&&... args) {
  return RefPtr<T>(new T(std::forward<Args>(args)...));
}

}  // namespace pt
