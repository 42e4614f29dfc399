// Status and Result<T>: how expected failures travel. C++ below bindings never throws.
//
// Value types; a Status that is OK costs one null pointer. Both are [[nodiscard]].
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pt {

// What kind of failure it is; the protocol edges translate it (spec/triton-frontend 1.3).
enum class Code {
  kOk,
  kUnknown,
  kInternal,
  kNotFound,
  kInvalidArgument,
  kUnavailable,
  kUnsupported,
  kAlreadyExists,
  kCancelled,
  kDeadlineExceeded,
  kPermissionDenied,
  kTooLarge,
};

// The code's name as Triton spells it: "Invalid argument", "Not found", ...
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  // REQUIRES: code != kOk.
  Status(Code code, std::string message);

  Status(const Status& other) : state_(Copy(other)) {}
  Status& operator=(const Status& other) {
    if (this != &other) state_ = Copy(other);
    return *this;
  }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  bool ok() const { return state_ == nullptr; }
  Code code() const { return ok() ? Code::kOk : state_->code; }
  // Empty when OK. Valid as long as this Status is.
  const std::string& message() const;
  // "Invalid argument: expected ..." or "OK".
  std::string ToString() const;

 private:
  struct State {
    Code code;
    std::string message;
  };
  static std::unique_ptr<State> Copy(const Status& other) {
    return other.ok() ? nullptr : std::make_unique<State>(*other.state_);
  }
  std::unique_ptr<State> state_;
};

inline Status InvalidArgument(std::string m) { return {Code::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {Code::kNotFound, std::move(m)}; }
inline Status Internal(std::string m) { return {Code::kInternal, std::move(m)}; }
inline Status Unavailable(std::string m) { return {Code::kUnavailable, std::move(m)}; }
inline Status Unsupported(std::string m) { return {Code::kUnsupported, std::move(m)}; }
inline Status AlreadyExists(std::string m) { return {Code::kAlreadyExists, std::move(m)}; }
inline Status Cancelled(std::string m) { return {Code::kCancelled, std::move(m)}; }
inline Status DeadlineExceeded(std::string m) { return {Code::kDeadlineExceeded, std::move(m)}; }

// A T, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    assert(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  // REQUIRES: ok() for all four.
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace pt

#define PT_CONCAT_INNER(a, b) a##b
#define PT_CONCAT(a, b) PT_CONCAT_INNER(a, b)

// Returns from the calling function when `expr` is not OK.
#define PT_RETURN_IF_ERROR(expr)             \
  do {                                       \
    ::pt::Status pt_status_ = (expr);        \
    if (!pt_status_.ok()) return pt_status_; \
  } while (0)

// `PT_ASSIGN_OR_RETURN(auto x, F());`: x = the value, or returns F's status.
#define PT_ASSIGN_OR_RETURN(lhs, expr) \
  PT_ASSIGN_OR_RETURN_(PT_CONCAT(pt_result_, __LINE__), lhs, expr)
#define PT_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                         \
  if (!result.ok()) return result.status();     \
  lhs = std::move(result).value()

// A broken invariant: stops a debug build; a release build goes on (write the safe path after it).
#ifdef NDEBUG
#define PT_DCHECK(condition) ((void)0)
#else
#define PT_DCHECK(condition) assert(condition)
#endif
