#include "runtime/text/jinja_context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"

namespace weft::jinja {
namespace {

// A value's control block and header, roughly; keeps many tiny values from being free.
constexpr size_t kOverhead = 64;

}  // namespace

absl::Status Context::Step(size_t count) {
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

absl::StatusOr<Value> Context::NewString(std::string text) {
  WEFT_RETURN_IF_ERROR(CheckText(text.size()));
  WEFT_RETURN_IF_ERROR(Charge(kOverhead + text.size()));
  return Value::MakeString(std::move(text));
}

absl::StatusOr<Value> Context::NewSequence(SequenceKind kind, std::vector<Value> items,
                                           std::string label) {
  WEFT_RETURN_IF_ERROR(Charge(kOverhead + label.size() + items.size() * sizeof(Value)));
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
  WEFT_RETURN_IF_ERROR(Charge(kOverhead + entries.size() * 2 * sizeof(Value)));
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
  WEFT_RETURN_IF_ERROR(Charge(4 * kOverhead));
  objects_.push_back(std::move(object));
  return objects_.back().get();
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
  if (context_.depth_ <= context_.limits_.call_depth) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the template recurses more than ", context_.limits_.call_depth, " deep"));
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
    const auto* it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat(what, " has no argument '", name, "'"));
    }
    const Value*& slot = bound[size_t(it - names.begin())];
    if (slot != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " got argument '", name, "' more than once"));
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
