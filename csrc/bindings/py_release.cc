#include "bindings/py_release.h"

#include <pthread.h>

#include <chrono>

#include "bindings/gil.h"

namespace pt::bindings {
namespace {

// How long posted references may wait for the next execution before the thread drops them.
constexpr std::chrono::milliseconds kPatience{50};

}  // namespace

PyReleaser::PyReleaser() : thread_([this] { Run(); }) {}

PyReleaser::~PyReleaser() = default;

void PyReleaser::Post(PyObject* object) {
  if (object == nullptr) return;
  Node* node = new Node{object, posted_.load(std::memory_order_relaxed)};
  while (!posted_.compare_exchange_weak(node->next, node)) {
  }
  if (!is_sleeping_.load() || !is_sleeping_.exchange(false)) return;
  MutexLock lock(&mu_);
  cv_.NotifyOne();
}

void PyReleaser::DrainLocked() {
  drains_.fetch_add(1, std::memory_order_relaxed);
  if (posted_.load(std::memory_order_relaxed) == nullptr) return;
  Node* node = posted_.exchange(nullptr);
  while (node != nullptr) {
    Node* next = node->next;
    Py_DECREF(node->object);
    delete node;
    node = next;
  }
}

bool PyReleaser::WaitForWork() {
  MutexLock lock(&mu_);
  while (!is_stopping_) {
    is_sleeping_.store(true);
    while (!is_stopping_ && is_sleeping_.load() && posted_.load() == nullptr) cv_.Wait(&mu_);
    is_sleeping_.store(false);
    // Executions usually take them first; then there is nothing to do but look again.
    const uint64_t seen = drains_.load(std::memory_order_relaxed);
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!is_stopping_ && cv_.WaitUntil(&mu_, until)) {
    }
    const bool is_stale = seen == drains_.load(std::memory_order_relaxed);
    if (is_stale && posted_.load() != nullptr && !is_stopping_) return true;
  }
  return false;
}

void PyReleaser::Run() {
  pthread_setname_np(pthread_self(), "pt-py-release");
  PyThread python;
  bool is_attached = false;
  while (WaitForWork()) {
    if (!std::exchange(is_attached, true)) python.Attach();
    GilHold hold(&python);
    DrainLocked();
  }
  if (is_attached) python.Detach();
}

void PyReleaser::Stop() {
  Py_BEGIN_ALLOW_THREADS;
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
    cv_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
  Py_END_ALLOW_THREADS;
  DrainLocked();
}

}  // namespace pt::bindings
