// What one rendering may use, and the only maker of the values it computes: a template comes with a
// downloaded model, so nothing in it may cost unbounded time, memory or stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

struct Limits {
  // The largest templates in use (tool calling) have some 30 kB.
  size_t template_bytes = size_t{1} << 20;
  // Of the syntax tree: blocks, brackets, and chains such as a + b + c, which lean to one side.
  int syntax_depth = 200;
  // Of evaluation, through macro calls: Python gives up at 1,000 frames.
  int call_depth = 500;
  // Of the stack, for parsing and for rendering, so that a thread of 256 kB will do: what bounds of
  // their own hold (comparing and destroying trees and values) takes the rest. Frames of builds
  // that are not optimised are several times as large.
#if defined(NDEBUG) && !defined(ABSL_HAVE_ADDRESS_SANITIZER)
  size_t stack_bytes = size_t{144} << 10;
#else
  size_t stack_bytes = size_t{2} << 20;
#endif
  // Lists within lists; destroying and comparing values recurses as deep.
  int value_depth = 64;
  // Of one string, hence of the output.
  size_t text_bytes = size_t{16} << 20;
  // Of everything made in one rendering, freed or not: values, tables of names, buffers.
  size_t total_bytes = size_t{512} << 20;
  // A step is one node evaluated, one item or scope visited, kBytesPerStep of text read or
  // kBytesPerScan of text looked at by code points; each takes some 100 ns. 1,000 messages need
  // about 100,000.
  int64_t steps = 10'000'000;
  // Of the thread's time, for what the steps mismeasure. A rendering takes less than 10 ms.
  double seconds = 2;
};

class Context {
 public:
  static constexpr size_t kBytesPerStep = 64;
  static constexpr size_t kBytesPerScan = 8;

  // `now` is what strftime_now formats. The time for the rendering begins.
  Context(const Limits& limits, const std::tm& now);

  const Limits& limits() const { return limits_; }
  const std::tm& now() const { return now_; }

  absl::Status Step(size_t count = 1);
  // Steps for text of this size that is copied, compared, hashed or searched for another.
  absl::Status Read(size_t bytes) { return Step(1 + bytes / kBytesPerStep); }
  // Steps for text whose code points are told apart, classified or mapped.
  absl::Status Scan(size_t bytes) { return Step(1 + bytes / kBytesPerScan); }
  // To be asked before text of this size is made.
  absl::Status CheckText(size_t bytes) const;
  // Charges memory, before it is taken.
  absl::Status Charge(size_t bytes);
  // Charges for so many T in a vector that grows to them.
  template <typename T>
  absl::Status ChargeGrowing(size_t count) {
    return Charge(3 * count * sizeof(T));
  }
  // Makes room for more text, checked and charged.
  absl::Status Grow(std::string& text, size_t more);
  // Reads `more` and appends it.
  absl::Status Append(std::string& text, absl::string_view more);

  absl::StatusOr<Value> NewString(std::string text);
  absl::StatusOr<Value> NewUndefined(std::string reason);
  absl::StatusOr<Value> NewSequence(SequenceKind kind, std::vector<Value> items,
                                    std::string label = {});
  absl::StatusOr<Value> NewList(std::vector<Value> items) {
    return NewSequence(SequenceKind::kList, std::move(items));
  }
  // The caller sees to it that keys are unique and hashable.
  absl::StatusOr<Value> NewDict(std::vector<std::pair<Value, Value>> entries);
  // Takes ownership until the rendering ends.
  absl::StatusOr<Object*> NewObject(std::unique_ptr<Object> object);

  // raise_exception: an error whose text must reach the user unchanged.
  absl::Status Raise(absl::string_view message);
  bool raised() const { return raised_; }
  // Puts AtLine before an error, once.
  absl::Status Locate(const absl::Status& status, int line);

  // One level of recursion, left when the guard goes. Of the stack, a rendering has what lies below
  // its Context.
  class DepthGuard {
   public:
    explicit DepthGuard(Context& context) : context_(context) { ++context_.depth_; }
    ~DepthGuard() { --context_.depth_; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;
    absl::Status Check() const;

   private:
    Context& context_;
  };

 private:
  Limits limits_;
  std::tm now_;
  int64_t steps_ = 0;
  size_t calls_ = 0;  // of Step
  double deadline_;
  uintptr_t stack_;
  size_t bytes_ = 0;
  int depth_ = 0;
  bool raised_ = false;
  bool located_ = false;
  std::vector<std::unique_ptr<Object>> objects_;
};

// A name or text as errors show it: cut where it is long.
std::string Shown(absl::string_view text);

// Where the stack is at.
inline uintptr_t StackPlace() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

// How errors begin that tell where in the template they are.
std::string AtLine(int line);

// Binds arguments as a Python signature with these names would; at least `required` of them must be
// given. A result is null where nothing was given; it points into `arguments`. `what` names the
// callee in errors: "filter 'join'".
absl::StatusOr<std::vector<const Value*>> Bind(const Arguments& arguments, absl::string_view what,
                                               std::initializer_list<absl::string_view> names,
                                               size_t required = 0);

// InvalidArgument for using a value in a way its type does not allow; tells why when the value is
// undefined.
absl::Status TypeError(const Value& value, absl::string_view problem);

}  // namespace weft::jinja
