#include "runtime/text/jinja_text_filters.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_json.h"
#include "runtime/text/jinja_methods.h"
#include "runtime/text/jinja_number.h"
#include "runtime/text/jinja_operators.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

using Result = absl::StatusOr<Value>;
using Bound = std::vector<const Value*>;

absl::StatusOr<Bound> BindTo(absl::string_view name, const Arguments& arguments,
                             std::initializer_list<absl::string_view> names, size_t required = 0) {
  return Bind(arguments, absl::StrCat("filter '", name, "'"), names, required);
}

absl::StatusOr<int64_t> IntegerOf(const Value* value, int64_t missing, absl::string_view filter) {
  if (value == nullptr) return missing;
  if (!value->is_integral())
    return TypeError(*value,
                     absl::StrCat("was given to '", filter, "', which needs a whole number"));
  return value->AsInt();
}

Result ApplyCase(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  WEFT_ASSIGN_OR_RETURN(const Value string, Str(context, input));
  const std::string& text = string.AsString();
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  if (name == "upper") return context.NewString(ToUpper(text));
  if (name == "lower") return context.NewString(ToLower(text));
  return context.NewString(name == "title" ? TitleWords(text) : Capitalize(text));
}

// `string`, and `safe`, which differs only where text is escaped by itself.
Result ApplyString(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  return Str(context, input);
}

Result ApplyTrim(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"chars"}));
  WEFT_ASSIGN_OR_RETURN(const Value string, Str(context, input));
  const std::string& text = string.AsString();
  WEFT_RETURN_IF_ERROR(context.Read(text.size()));
  std::optional<absl::string_view> chars;
  if (bound[0] != nullptr && !bound[0]->is_none()) {
    if (!bound[0]->is_string())
      return TypeError(*bound[0], "was given to 'trim', which needs a text");
    chars = bound[0]->AsString();
  }
  return StripChecked(context, text, Side::kBoth, chars);
}

Result ApplyReplace(Context& context, const Value& input, absl::string_view name,
                    const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"old", "new", "count"}, 2));
  WEFT_ASSIGN_OR_RETURN(const Value text, Str(context, input));
  WEFT_ASSIGN_OR_RETURN(const Value from, Str(context, *bound[0]));
  WEFT_ASSIGN_OR_RETURN(const Value to, Str(context, *bound[1]));
  const Value* limit = bound[2] != nullptr && bound[2]->is_none() ? nullptr : bound[2];
  WEFT_ASSIGN_OR_RETURN(const int64_t count, IntegerOf(limit, -1, name));
  return ReplaceChecked(context, text.AsString(), from.AsString(), to.AsString(), count);
}

Result ApplyEscape(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  WEFT_ASSIGN_OR_RETURN(const Value string, Str(context, input));
  const std::string& text = string.AsString();
  constexpr size_t kMost = 5;  // &#39;
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  std::string out;
  WEFT_RETURN_IF_ERROR(context.Grow(out, text.size()));
  for (char c : text) {
    if (out.capacity() - out.size() < kMost) {
      WEFT_RETURN_IF_ERROR(context.Grow(out, kMost));
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return context.NewString(std::move(out));
}

absl::StatusOr<std::string> Blanks(Context& context, int64_t width) {
  const auto bytes = size_t(std::max<int64_t>(0, width));
  WEFT_RETURN_IF_ERROR(context.CheckText(bytes));
  WEFT_RETURN_IF_ERROR(context.Read(bytes));
  WEFT_RETURN_IF_ERROR(context.Charge(bytes));
  return std::string(bytes, ' ');
}

Result ApplyIndent(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"width", "first", "blank"}));
  if (!input.is_string()) return TypeError(input, "cannot be indented");
  std::string blanks;
  absl::string_view indent;
  if (bound[0] != nullptr && bound[0]->is_string()) {
    indent = bound[0]->AsString();
  } else {
    WEFT_ASSIGN_OR_RETURN(const int64_t width, IntegerOf(bound[0], 4, name));
    WEFT_ASSIGN_OR_RETURN(blanks, Blanks(context, width));
    indent = blanks;
  }
  const bool first = bound[1] != nullptr && bound[1]->Truthy();
  const bool blank = bound[2] != nullptr && bound[2]->Truthy();
  WEFT_RETURN_IF_ERROR(context.Scan(input.AsString().size()));
  WEFT_RETURN_IF_ERROR(context.Charge(input.AsString().size()));
  // With the newline, text that ends in one keeps it, as an empty last line.
  const std::string text = input.AsString() + "\n";
  std::string out;
  bool at_first = true;
  WEFT_RETURN_IF_ERROR(
      SplitLines(text, /*keep_ends=*/false, [&](absl::string_view line) -> absl::Status {
        const bool is_first = std::exchange(at_first, false);
        if (!is_first) {
          WEFT_RETURN_IF_ERROR(context.Append(out, "\n"));
        }
        if (is_first ? first : blank || !line.empty()) {
          WEFT_RETURN_IF_ERROR(context.Append(out, indent));
        }
        return context.Append(out, line);
      }));
  return context.NewString(std::move(out));
}

Result ApplyToJson(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(
      const Bound bound,
      BindTo(name, arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  std::string blanks;
  style.ensure_ascii = bound[0] != nullptr && bound[0]->Truthy();
  style.sort_keys = bound[3] != nullptr && bound[3]->Truthy();
  if (bound[1] != nullptr && !bound[1]->is_none()) {
    if (bound[1]->is_string()) {
      style.indent = bound[1]->AsString();
    } else {
      WEFT_ASSIGN_OR_RETURN(const int64_t width, IntegerOf(bound[1], 0, name));
      WEFT_ASSIGN_OR_RETURN(blanks, Blanks(context, width));
      style.indent = blanks;
    }
    style.item_separator = ",";
  }
  std::vector<Value> separators;
  if (bound[2] != nullptr && !bound[2]->is_none()) {
    WEFT_ASSIGN_OR_RETURN(separators, Items(context, *bound[2]));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
      return absl::InvalidArgumentError("'separators' of 'tojson' are two texts");
    }
    style.item_separator = separators[0].AsString();
    style.key_separator = separators[1].AsString();
  }
  std::string out;
  WEFT_RETURN_IF_ERROR(AppendJson(context, input, style, out));
  return context.NewString(std::move(out));
}

Result ApplyDefault(Context& context, const Value& input, absl::string_view name,
                    const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"default_value", "boolean"}));
  const bool falsy_too = bound[1] != nullptr && bound[1]->Truthy();
  if (!input.is_undefined() && !(falsy_too && !input.Truthy())) return input;
  if (bound[0] != nullptr) return *bound[0];
  return context.NewString("");
}

// int(value) of a float: towards zero. None for NaN.
absl::StatusOr<std::optional<int64_t>> Truncate(double value) {
  if (std::isnan(value)) return std::nullopt;
  // 2^63 is the first double that does not fit.
  if (!(value >= -0x1p63 && value < 0x1p63))
    return absl::InvalidArgumentError("a number does not fit 64 bits");
  return int64_t(value);
}

Result ApplyInt(Context& context, const Value& input, absl::string_view name,
                const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"default", "base"}));
  const Value fallback = bound[0] != nullptr ? *bound[0] : Value::MakeInt(0);
  WEFT_ASSIGN_OR_RETURN(const int64_t base, IntegerOf(bound[1], 10, name));
  if (input.is_undefined()) return TypeError(input, "");
  std::optional<double> number;
  if (input.is_integral()) return Value::MakeInt(input.AsInt());
  if (input.is_float()) {
    number = input.AsFloat();
  } else if (input.is_string()) {
    WEFT_RETURN_IF_ERROR(context.Scan(input.AsString().size()));
    int64_t value = 0;
    switch (ParseInt(input.AsString(), base, value)) {
      case ParseResult::kOk:
        return Value::MakeInt(value);
      case ParseResult::kTooLarge:
        return absl::InvalidArgumentError("a number does not fit 64 bits");
      case ParseResult::kNotANumber:
        number = ParseFloat(input.AsString());
        if (number.has_value() && std::isinf(*number)) number = std::nullopt;
    }
  }
  if (!number.has_value()) return fallback;
  WEFT_ASSIGN_OR_RETURN(const std::optional<int64_t> truncated, Truncate(*number));
  return truncated.has_value() ? Value::MakeInt(*truncated) : fallback;
}

Result ApplyFloat(Context& context, const Value& input, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"default"}));
  if (input.is_undefined()) return TypeError(input, "");
  if (input.is_number()) return Value::MakeFloat(input.AsFloat());
  std::optional<double> number;
  if (input.is_string()) {
    WEFT_RETURN_IF_ERROR(context.Scan(input.AsString().size()));
    number = ParseFloat(input.AsString());
  }
  if (number.has_value()) return Value::MakeFloat(*number);
  return bound[0] != nullptr ? *bound[0] : Value::MakeFloat(0);
}

Result ApplyAbs(Context&, const Value& input, absl::string_view name, const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  if (input.is_float()) return Value::MakeFloat(std::fabs(input.AsFloat()));
  if (!input.is_integral()) return TypeError(input, "has no absolute value");
  return input.AsInt() < 0 ? Negate(input) : Positive(input);
}

Result ApplyRound(Context&, const Value& input, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"precision", "method"}));
  WEFT_ASSIGN_OR_RETURN(const int64_t digits, IntegerOf(bound[0], 0, name));
  if (!input.is_number()) return TypeError(input, "cannot be rounded");
  // 10^15 is the largest power that leaves one digit before the point exact.
  if (digits < 0 || digits > 15)
    return absl::InvalidArgumentError("'round' takes a precision of 0 to 15");
  absl::string_view method = "common";
  if (bound[1] != nullptr && bound[1]->is_string()) method = bound[1]->AsString();
  if (method == "common") {
    if (input.is_integral()) return Positive(input);
    return Value::MakeFloat(RoundTo(input.AsFloat(), int(digits)));
  }
  if (method != "ceil" && method != "floor") {
    return absl::InvalidArgumentError("the method of 'round' is 'common', 'ceil' or 'floor'");
  }
  const double scale = std::pow(10.0, double(digits));
  const double scaled = input.AsFloat() * scale;
  return Value::MakeFloat((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

// Like `value[name]`, but of attributes only.
Result ApplyAttr(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"name"}, 1));
  WEFT_ASSIGN_OR_RETURN(const Value string, Str(context, *bound[0]));
  const absl::string_view attribute = string.AsString();
  WEFT_ASSIGN_OR_RETURN(const MethodKind method, FindMethod(input, attribute));
  if (input.is_object() || method == MethodKind::kAllowed)
    return GetAttribute(context, input, attribute);
  return NoAttribute(context, input, attribute);
}

constexpr FilterEntry kFilters[] = {
    {"upper", ApplyCase},      {"lower", ApplyCase},      {"title", ApplyCase},
    {"capitalize", ApplyCase}, {"string", ApplyString},   {"safe", ApplyString},
    {"trim", ApplyTrim},       {"replace", ApplyReplace}, {"e", ApplyEscape},
    {"escape", ApplyEscape},   {"indent", ApplyIndent},   {"tojson", ApplyToJson},
    {"default", ApplyDefault}, {"d", ApplyDefault},       {"int", ApplyInt},
    {"float", ApplyFloat},     {"abs", ApplyAbs},         {"round", ApplyRound},
    {"attr", ApplyAttr},
};

}  // namespace

absl::Span<const FilterEntry> TextFilters() { return kFilters; }

}  // namespace weft::jinja
