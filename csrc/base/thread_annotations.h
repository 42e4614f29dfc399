// Clang thread-safety annotations; empty under other compilers (clang-tidy checks them in the
// lint).
#pragma once

#if defined(__clang__)
#define PT_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define PT_THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) PT_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY PT_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) PT_THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) PT_THREAD_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(...) PT_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) PT_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) PT_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) PT_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) PT_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) PT_THREAD_ANNOTATION(assert_capability(x))
#define RETURN_CAPABILITY(x) PT_THREAD_ANNOTATION(lock_returned(x))
#define NO_THREAD_SAFETY_ANALYSIS PT_THREAD_ANNOTATION(no_thread_safety_analysis)
