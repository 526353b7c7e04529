#include "runtime/text/jinja_access.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_methods.h"
#include "runtime/text/jinja_operators.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

bool IsIndexable(const Value& value) {
  if (!value.is_sequence()) return value.is_string();
  const SequenceKind kind = value.AsSequence().kind;
  return kind == SequenceKind::kList || kind == SequenceKind::kTuple ||
         kind == SequenceKind::kRange;
}

bool IsHashable(const Value& key) {
  return !key.is_dict() && !(key.is_sequence() && key.AsSequence().kind == SequenceKind::kList);
}

absl::Status CheckHashable(const Value& key) {
  return IsHashable(key) ? absl::OkStatus() : TypeError(key, "cannot be a key");
}

// The item at an index that may count from the end, or undefined.
absl::StatusOr<Value> ItemAt(Context& context, const Value& object, int64_t index) {
  WEFT_ASSIGN_OR_RETURN(const size_t length, Length(context, object));
  const int64_t at = index < 0 ? index + int64_t(length) : index;
  if (at < 0 || at >= int64_t(length)) {
    return context.NewUndefined(
        absl::StrCat("'", object.TypeName(), "' of ", length, " items has no item ", index));
  }
  if (!object.is_string()) return object.AsSequence().items[size_t(at)];
  const absl::string_view text = object.AsString();
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  const size_t offset = ByteOffset(text, size_t(at));
  return context.NewString(std::string(text.substr(offset, DecodeAt(text, offset).bytes)));
}

// A part of a slice, within [low, high]; counts from the end when negative.
absl::StatusOr<int64_t> SlicePart(const Value& part, int64_t missing, int64_t length, int64_t low,
                                  int64_t high) {
  if (part.is_none()) return missing;
  if (!part.is_integral()) return TypeError(part, "cannot be a part of a slice");
  int64_t index = part.AsInt();
  if (index < 0 && index > std::numeric_limits<int64_t>::min() + length) index += length;
  return std::clamp(index, low, high);
}

}  // namespace

absl::StatusOr<const Value*> Lookup(Context& context, const Dict& dict, const Value& key) {
  WEFT_RETURN_IF_ERROR(CheckHashable(key));
  if (key.is_string()) return FindKey(context, dict, key.AsString());
  for (const auto& [candidate, value] : dict.entries) {
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, candidate, key));
    if (equal) return &value;
  }
  return nullptr;
}

absl::StatusOr<const Value*> FindKey(Context& context, const Dict& dict, absl::string_view key) {
  WEFT_RETURN_IF_ERROR(context.Step(1 + dict.entries.size()));
  for (const auto& [name, value] : dict.entries) {
    if (!name.is_string() || name.AsString().size() != key.size()) continue;
    WEFT_RETURN_IF_ERROR(context.Step(key.size() / Context::kBytesPerStep));
    if (name.AsString() == key) return &value;
  }
  return nullptr;
}

absl::Status Insert(Context& context, std::vector<std::pair<Value, Value>>& entries, Value key,
                    Value value) {
  WEFT_RETURN_IF_ERROR(CheckHashable(key));
  for (auto& [candidate, old] : entries) {
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, candidate, key));
    if (equal) {
      old = std::move(value);
      return absl::OkStatus();
    }
  }
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Entry>(1));
  entries.emplace_back(std::move(key), std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<Value> NoAttribute(Context& context, const Value& object, absl::string_view name) {
  return context.NewUndefined(
      absl::StrCat("'", object.TypeName(), "' has no attribute '", Shown(name), "'"));
}

absl::StatusOr<Value> GetAttribute(Context& context, const Value& object, absl::string_view name) {
  if (object.is_undefined()) return TypeError(object, "");
  WEFT_RETURN_IF_ERROR(context.Step());
  if (object.is_object()) return object.AsObject().Attribute(context, name);
  WEFT_ASSIGN_OR_RETURN(const MethodKind method, FindMethod(object, name));
  if (method == MethodKind::kForbidden) return NoAttribute(context, object, name);
  if (method == MethodKind::kAllowed) return BindMethod(context, object, name);
  if (object.is_dict()) {
    WEFT_ASSIGN_OR_RETURN(const Value* value, FindKey(context, object.AsDict(), name));
    if (value != nullptr) return *value;
  }
  return NoAttribute(context, object, name);
}

absl::StatusOr<Value> GetItem(Context& context, const Value& object, const Value& key) {
  if (object.is_undefined()) return TypeError(object, "");
  if (object.is_dict()) {
    // A key that cannot be hashed leads to undefined, not to an error, in Jinja.
    if (!IsHashable(key)) return NoAttribute(context, object, key.TypeName());
    WEFT_ASSIGN_OR_RETURN(const Value* value, Lookup(context, object.AsDict(), key));
    if (value != nullptr) return *value;
  } else if (IsIndexable(object) && key.is_integral()) {
    return ItemAt(context, object, key.AsInt());
  }
  if (key.is_string()) return GetAttribute(context, object, key.AsString());
  return NoAttribute(context, object,
                     key.is_int() ? absl::StrCat(key.AsInt()) : std::string(key.TypeName()));
}

absl::StatusOr<Value> GetSlice(Context& context, const Value& object, const Value& start,
                               const Value& stop, const Value& step) {
  if (!IsIndexable(object)) return TypeError(object, "cannot be sliced");
  WEFT_ASSIGN_OR_RETURN(const size_t size, Length(context, object));
  const int64_t length = int64_t(size);
  int64_t stride = 1;
  if (!step.is_none()) {
    if (!step.is_integral()) return TypeError(step, "cannot be the step of a slice");
    stride = step.AsInt();
    if (stride == 0) return absl::InvalidArgumentError("the step of a slice cannot be zero");
    // No step beyond the length makes a difference, and the sums below stay small.
    stride = std::clamp(stride, -length - 1, length + 1);
  }
  const int64_t low = stride > 0 ? 0 : -1;
  const int64_t high = stride > 0 ? length : length - 1;
  WEFT_ASSIGN_OR_RETURN(int64_t i, SlicePart(start, stride > 0 ? low : high, length, low, high));
  WEFT_ASSIGN_OR_RETURN(const int64_t end,
                        SlicePart(stop, stride > 0 ? high : low, length, low, high));
  if (object.is_string() && stride == 1) {
    const absl::string_view text = object.AsString();
    WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
    const size_t begin = ByteOffset(text, size_t(i));
    const size_t bytes = end > i ? ByteOffset(text.substr(begin), size_t(end - i)) : 0;
    return context.NewString(std::string(text.substr(begin, bytes)));
  }
  if (object.is_string()) {
    const absl::string_view whole = object.AsString();
    WEFT_RETURN_IF_ERROR(context.Scan(2 * whole.size()));
    WEFT_RETURN_IF_ERROR(context.Charge(size * sizeof(absl::string_view)));
    const std::vector<absl::string_view> all = SplitCodePoints(whole);
    std::string text;
    // No code point comes twice.
    WEFT_RETURN_IF_ERROR(context.Grow(text, whole.size()));
    for (; stride > 0 ? i < end : i > end; i += stride) absl::StrAppend(&text, all[size_t(i)]);
    text.shrink_to_fit();
    return context.NewString(std::move(text));
  }
  const int64_t span = stride > 0 ? end - i : i - end;
  const auto count = size_t(span <= 0 ? 0 : (span - 1) / std::abs(stride) + 1);
  WEFT_RETURN_IF_ERROR(context.Step(count));
  WEFT_RETURN_IF_ERROR(context.Charge(count * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(count);
  for (; stride > 0 ? i < end : i > end; i += stride) {
    items.push_back(object.AsSequence().items[size_t(i)]);
  }
  const SequenceKind kind = object.AsSequence().kind;
  // A slice of a range is a range whose label nobody reads; a list of the same numbers does for it.
  return context.NewSequence(kind == SequenceKind::kRange ? SequenceKind::kList : kind,
                             std::move(items));
}

absl::StatusOr<size_t> Length(Context& context, const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_string()) {
    WEFT_RETURN_IF_ERROR(context.Scan(value.AsString().size()));
    return CountCodePoints(value.AsString());
  }
  if (value.is_dict()) return value.AsDict().entries.size();
  if (value.is_sequence() && value.AsSequence().kind != SequenceKind::kIterator) {
    return value.AsSequence().items.size();
  }
  return TypeError(value, "has no length");
}

absl::StatusOr<std::vector<Value>> Items(Context& context, const Value& value) {
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (value.is_string()) {
    // Each code point becomes a value with a text of its own.
    WEFT_ASSIGN_OR_RETURN(const size_t length, Length(context, value));
    WEFT_RETURN_IF_ERROR(context.Charge(length * (sizeof(Value) + 64)));
    WEFT_RETURN_IF_ERROR(context.Step(length));
    const absl::string_view text = value.AsString();
    items.reserve(length);
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = DecodeAt(text, at).bytes;
      items.push_back(Value::MakeString(std::string(text.substr(at, bytes))));
      at += bytes;
    }
    return items;
  }
  if (value.is_dict()) {
    WEFT_RETURN_IF_ERROR(context.Step(value.AsDict().entries.size()));
    WEFT_RETURN_IF_ERROR(context.Charge(value.AsDict().entries.size() * sizeof(Value)));
    items.reserve(value.AsDict().entries.size());
    for (const auto& [key, unused] : value.AsDict().entries) items.push_back(key);
    return items;
  }
  if (!value.is_sequence()) return TypeError(value, "cannot be iterated over");
  const Sequence& sequence = value.AsSequence();
  WEFT_RETURN_IF_ERROR(context.Step(sequence.items.size()));
  WEFT_RETURN_IF_ERROR(context.Charge(sequence.items.size() * sizeof(Value)));
  if (sequence.kind != SequenceKind::kIterator) return sequence.items;
  items.assign(sequence.items.begin() + std::ptrdiff_t(sequence.next), sequence.items.end());
  sequence.next = sequence.items.size();
  return items;
}

}  // namespace weft::jinja
