#include "runtime/text/jinja_json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_number.h"
#include "runtime/text/jinja_operators.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

using Json = nlohmann::ordered_json;

absl::Status AppendText(Context& context, absl::string_view text, bool ensure_ascii,
                        std::string& out) {
  // A pair of surrogates and the quote at the end.
  constexpr size_t kMost = 13;
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  WEFT_RETURN_IF_ERROR(context.Grow(out, kMost));
  static constexpr absl::string_view kFrom = "\"\\\n\r\t\f\b";
  static constexpr absl::string_view kTo = "\"\\nrtfb";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    if (out.capacity() - out.size() < kMost) {
      WEFT_RETURN_IF_ERROR(context.Grow(out, kMost));
    }
    const CodePoint c = DecodeAt(text, i);
    if (const size_t known = c.value < 0x80 ? kFrom.find(char(c.value)) : absl::string_view::npos;
        known != absl::string_view::npos) {
      out += '\\';
      out += kTo[known];
    } else if (c.value < 0x20 || (ensure_ascii && c.value > 0x7E && c.value < 0x10000)) {
      AppendHex('u', 4, c.value, out);
    } else if (ensure_ascii && c.value >= 0x10000) {
      const uint32_t rest = c.value - 0x10000;
      AppendHex('u', 4, 0xD800 + (rest >> 10), out);
      AppendHex('u', 4, 0xDC00 + (rest & 0x3FF), out);
    } else {
      absl::StrAppend(&out, text.substr(i, c.bytes));
    }
    i += c.bytes;
  }
  out += '"';
  return absl::OkStatus();
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return FloatRepr(value);
}

class Writer {
 public:
  Writer(Context& context, const JsonStyle& style, std::string& out)
      : context_(context), style_(style), out_(out) {}

  absl::Status Write(const Value& value, int level) {
    Context::DepthGuard guard(context_);
    WEFT_RETURN_IF_ERROR(guard.Check());
    WEFT_RETURN_IF_ERROR(context_.Step());
    // Brackets, colons and numbers.
    WEFT_RETURN_IF_ERROR(context_.Grow(out_, 64));
    switch (value.kind()) {
      case Kind::kNone:
        out_ += "null";
        return absl::OkStatus();
      case Kind::kBool:
        out_ += value.AsBool() ? "true" : "false";
        return absl::OkStatus();
      case Kind::kInt:
        absl::StrAppend(&out_, value.AsInt());
        return absl::OkStatus();
      case Kind::kFloat:
        out_ += FloatText(value.AsFloat());
        return absl::OkStatus();
      case Kind::kString:
        return AppendText(context_, value.AsString(), style_.ensure_ascii, out_);
      case Kind::kSequence: {
        const SequenceKind kind = value.AsSequence().kind;
        if (kind != SequenceKind::kList && kind != SequenceKind::kTuple) break;
        return WriteList(value.AsSequence().items, level);
      }
      case Kind::kDict:
        return WriteDict(value.AsDict(), level);
      case Kind::kUndefined:
      case Kind::kObject:
        break;
    }
    return TypeError(value, "cannot be written as JSON");
  }

 private:
  // Where an item or a closing bracket starts.
  absl::Status NewLine(int level) {
    if (!style_.indent.has_value()) return absl::OkStatus();
    out_ += '\n';
    for (int i = 0; i < level; ++i) {
      WEFT_RETURN_IF_ERROR(context_.Append(out_, *style_.indent));
    }
    return absl::OkStatus();
  }

  absl::Status WriteList(const std::vector<Value>& items, int level) {
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) {
        WEFT_RETURN_IF_ERROR(context_.Append(out_, style_.item_separator));
      }
      WEFT_RETURN_IF_ERROR(NewLine(level + 1));
      WEFT_RETURN_IF_ERROR(Write(items[i], level + 1));
    }
    if (!items.empty()) {
      WEFT_RETURN_IF_ERROR(NewLine(level));
    }
    out_ += ']';
    return absl::OkStatus();
  }

  absl::Status WriteKey(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return Write(key, 0);
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        out_ += '"';
        WEFT_RETURN_IF_ERROR(Write(key, 0));
        out_ += '"';
        return absl::OkStatus();
      default:
        return TypeError(key, "cannot be a key in JSON");
    }
  }

  absl::Status WriteDict(const Dict& dict, int level) {
    if (!style_.sort_keys) return WriteEntries(dict.entries, level);
    std::vector<std::pair<Value, Value>> entries = dict.entries;
    WEFT_RETURN_IF_ERROR(SortBy(context_, entries, [](const auto& a) { return a.first; }, false));
    return WriteEntries(entries, level);
  }

  absl::Status WriteEntries(const std::vector<std::pair<Value, Value>>& entries, int level) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : entries) {
      if (!std::exchange(first, false)) {
        WEFT_RETURN_IF_ERROR(context_.Append(out_, style_.item_separator));
      }
      WEFT_RETURN_IF_ERROR(NewLine(level + 1));
      WEFT_RETURN_IF_ERROR(WriteKey(key));
      WEFT_RETURN_IF_ERROR(context_.Append(out_, style_.key_separator));
      WEFT_RETURN_IF_ERROR(Write(value, level + 1));
    }
    if (!entries.empty()) {
      WEFT_RETURN_IF_ERROR(NewLine(level));
    }
    out_ += '}';
    return absl::OkStatus();
  }

  Context& context_;
  const JsonStyle& style_;
  std::string& out_;
};

absl::StatusOr<Value> Convert(Context& context, const Json& json, int depth) {
  if (depth > context.limits().value_depth) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the context of the template is nested more than ", context.limits().value_depth, " deep"));
  }
  switch (json.type()) {
    case Json::value_t::null:
      return Value::MakeNone();
    case Json::value_t::boolean:
      return Value::MakeBool(*json.get_ptr<const Json::boolean_t*>());
    case Json::value_t::number_unsigned: {
      const uint64_t value = *json.get_ptr<const Json::number_unsigned_t*>();
      if (value > uint64_t(std::numeric_limits<int64_t>::max())) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the number ", value, " in the context of the template does not fit 64 bits"));
      }
      return Value::MakeInt(int64_t(value));
    }
    case Json::value_t::number_integer:
      return Value::MakeInt(*json.get_ptr<const Json::number_integer_t*>());
    case Json::value_t::number_float:
      return Value::MakeFloat(*json.get_ptr<const Json::number_float_t*>());
    case Json::value_t::string:
      return Value::MakeString(*json.get_ptr<const Json::string_t*>());
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) {
        WEFT_ASSIGN_OR_RETURN(Value value, Convert(context, item, depth + 1));
        items.push_back(std::move(value));
      }
      return context.NewList(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> entries;
      entries.reserve(json.size());
      for (const auto& [key, item] : *json.get_ptr<const Json::object_t*>()) {
        WEFT_ASSIGN_OR_RETURN(Value value, Convert(context, item, depth + 1));
        entries.emplace_back(Value::MakeString(key), std::move(value));
      }
      return context.NewDict(std::move(entries));
    }
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  return absl::InvalidArgumentError("the context of the template holds something that is no JSON");
}

}  // namespace

absl::StatusOr<Value> FromJson(Context& context, const Json& json) {
  return Convert(context, json, 0);
}

absl::Status AppendJson(Context& context, const Value& value, const JsonStyle& style,
                        std::string& out) {
  WEFT_RETURN_IF_ERROR(Writer(context, style, out).Write(value, 0));
  return context.CheckText(out.size());
}

}  // namespace weft::jinja
