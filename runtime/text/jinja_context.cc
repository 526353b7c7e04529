#include "runtime/text/jinja_context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/thread_clock.h"

namespace weft::jinja {
namespace {

// Control block and header, as the allocator rounds them, of a text, and of a list or dict and its
// items' block.
constexpr size_t kTextOverhead = 64;
constexpr size_t kListOverhead = 144;
// What a text may have without a block of its own, and what that block takes besides.
constexpr size_t kInline = 15;
constexpr size_t kBlockOverhead = 32;
// Of an object: it, its place in the list of objects, and tables that it has from its birth.
constexpr size_t kObjectBytes = 256;

constexpr size_t kCallsPerReading = 64;
constexpr size_t kManySteps = 4096;

}  // namespace

Context::Context(const Limits& limits, const std::tm& now)
    : limits_(limits),
      now_(now),
      deadline_(ThreadSeconds() + limits.seconds),
      stack_(StackPlace()) {}

absl::Status Context::Step(size_t count) {
  if ((++calls_ % kCallsPerReading == 0 || count >= kManySteps) && ThreadSeconds() > deadline_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template takes more than ", limits_.seconds, " s; it may not end"));
  }
  if (count > size_t(limits_.steps - steps_)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template takes more than ", limits_.steps, " steps; it may not end"));
  }
  steps_ += int64_t(count);
  return absl::OkStatus();
}

absl::Status Context::CheckText(size_t bytes) const {
  if (bytes <= limits_.text_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the template makes a text of more than ", limits_.text_bytes, " bytes"));
}

absl::Status Context::Charge(size_t bytes) {
  if (bytes > limits_.total_bytes - bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template makes more than ", limits_.total_bytes, " bytes of values"));
  }
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status Context::Grow(std::string& text, size_t more) {
  const size_t size = text.size() + more;
  WEFT_RETURN_IF_ERROR(CheckText(size));
  if (size <= text.capacity()) return absl::OkStatus();
  const size_t capacity = std::max(size, 2 * text.capacity());
  WEFT_RETURN_IF_ERROR(Charge(kBlockOverhead + capacity));
  text.reserve(capacity);
  return absl::OkStatus();
}

absl::Status Context::Append(std::string& text, absl::string_view more) {
  WEFT_RETURN_IF_ERROR(Read(more.size()));
  WEFT_RETURN_IF_ERROR(Grow(text, more.size()));
  text.append(more.data(), more.size());
  return absl::OkStatus();
}

absl::StatusOr<Value> Context::NewString(std::string text) {
  WEFT_RETURN_IF_ERROR(CheckText(text.size()));
  const size_t block = text.capacity() > kInline ? kBlockOverhead + text.capacity() : 0;
  WEFT_RETURN_IF_ERROR(Charge(kTextOverhead + block));
  return Value::MakeString(std::move(text));
}

absl::StatusOr<Value> Context::NewUndefined(std::string reason) {
  WEFT_RETURN_IF_ERROR(Charge(kTextOverhead + kBlockOverhead + reason.capacity()));
  return Value::MakeUndefined(std::move(reason));
}

absl::StatusOr<Value> Context::NewSequence(SequenceKind kind, std::vector<Value> items,
                                           std::string label) {
  WEFT_RETURN_IF_ERROR(Charge(kListOverhead + label.capacity() + items.capacity() * sizeof(Value)));
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  if (depth >= limits_.value_depth) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template nests lists more than ", limits_.value_depth, " deep"));
  }
  auto sequence = std::make_shared<Sequence>();
  sequence->kind = kind;
  sequence->items = std::move(items);
  sequence->label = std::move(label);
  sequence->depth = depth + 1;
  return Value::MakeSequence(std::move(sequence));
}

absl::StatusOr<Value> Context::NewDict(std::vector<std::pair<Value, Value>> entries) {
  WEFT_RETURN_IF_ERROR(Charge(kListOverhead + entries.capacity() * 2 * sizeof(Value)));
  int depth = 0;
  for (const auto& [key, value] : entries) depth = std::max({depth, key.depth(), value.depth()});
  if (depth >= limits_.value_depth) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template nests dicts more than ", limits_.value_depth, " deep"));
  }
  auto dict = std::make_shared<Dict>();
  dict->entries = std::move(entries);
  dict->depth = depth + 1;
  return Value::MakeDict(std::move(dict));
}

absl::StatusOr<Object*> Context::NewObject(std::unique_ptr<Object> object) {
  WEFT_RETURN_IF_ERROR(Charge(kObjectBytes));
  objects_.push_back(std::move(object));
  return objects_.back().get();
}

std::string Shown(absl::string_view text) {
  constexpr size_t kMost = 100;
  if (text.size() <= kMost) return std::string(text);
  size_t end = kMost;
  // Not within a code point.
  while (end > kMost - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "…");
}

std::string AtLine(int line) { return absl::StrCat("chat template, line ", line, ": "); }

absl::Status Context::Raise(absl::string_view message) {
  raised_ = true;
  return absl::InvalidArgumentError(message);
}

absl::Status Context::Locate(const absl::Status& status, int line) {
  if (status.ok() || located_ || raised_) return status;
  located_ = true;
  return {status.code(), absl::StrCat(AtLine(line), status.message())};
}

absl::Status Context::DepthGuard::Check() const {
  const Limits& limits = context_.limits_;
  if (context_.depth_ > limits.call_depth) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template recurses more than ", limits.call_depth, " deep"));
  }
  const uintptr_t place = StackPlace();
  if (place < context_.stack_ && context_.stack_ - place > limits.stack_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the template recurses so deep that it takes ",
                                                     limits.stack_bytes, " bytes of stack"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<const Value*>> Bind(const Arguments& arguments, absl::string_view what,
                                               std::initializer_list<absl::string_view> names,
                                               size_t required) {
  if (arguments.positional.size() > names.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " takes at most ", names.size(), " arguments, not ", arguments.positional.size()));
  }
  std::vector<const Value*> bound(names.size(), nullptr);
  for (size_t i = 0; i < arguments.positional.size(); ++i) bound[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* it = std::find(names.begin(), names.end(), name.AsString());
    if (it == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has no argument '", Shown(name.AsString()), "'"));
    }
    const Value*& slot = bound[size_t(it - names.begin())];
    if (slot != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " got argument '", *it, "' more than once"));
    }
    slot = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (bound[i] == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " needs its argument '", *(names.begin() + i), "'"));
    }
  }
  return bound;
}

absl::Status TypeError(const Value& value, absl::string_view problem) {
  if (value.is_undefined()) return absl::InvalidArgumentError(value.UndefinedReason());
  return absl::InvalidArgumentError(
      absl::StrCat("a value of type '", value.TypeName(), "' ", problem));
}

}  // namespace weft::jinja
