#include "runtime/text/jinja_is_tests.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_filters.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_operators.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

bool IsIndexable(const Value& value) {
  if (!value.is_sequence()) return value.is_string() || value.is_dict() || value.is_undefined();
  const SequenceKind kind = value.AsSequence().kind;
  return kind != SequenceKind::kView && kind != SequenceKind::kIterator;
}

// Tests of the value alone.
constexpr std::pair<absl::string_view, bool (*)(const Value&)> kPlainTests[] = {
    {"defined", [](const Value& v) { return !v.is_undefined(); }},
    {"undefined", [](const Value& v) { return v.is_undefined(); }},
    {"none", [](const Value& v) { return v.is_none(); }},
    {"boolean", [](const Value& v) { return v.is_bool(); }},
    {"true", [](const Value& v) { return v.is_bool() && v.AsBool(); }},
    {"false", [](const Value& v) { return v.is_bool() && !v.AsBool(); }},
    {"integer", [](const Value& v) { return v.is_int(); }},
    {"float", [](const Value& v) { return v.is_float(); }},
    {"number", [](const Value& v) { return v.is_number(); }},
    {"string", [](const Value& v) { return v.is_string(); }},
    {"mapping", [](const Value& v) { return v.is_dict(); }},
    {"sequence", IsIndexable},
    {"iterable", [](const Value& v) { return v.is_sequence() || IsIndexable(v); }},
    {"callable",
     [](const Value& v) {
       return v.is_undefined() || (v.is_object() && v.AsObject().IsCallable());
     }},
    {"escaped", [](const Value&) { return false; }},
};

constexpr std::pair<absl::string_view, Comparison> kComparisons[] = {
    {"eq", Comparison::kEqual},        {"equalto", Comparison::kEqual},
    {"==", Comparison::kEqual},        {"ne", Comparison::kNotEqual},
    {"!=", Comparison::kNotEqual},     {"lt", Comparison::kLess},
    {"lessthan", Comparison::kLess},   {"<", Comparison::kLess},
    {"le", Comparison::kLessEqual},    {"<=", Comparison::kLessEqual},
    {"gt", Comparison::kGreater},      {"greaterthan", Comparison::kGreater},
    {">", Comparison::kGreater},       {"ge", Comparison::kGreaterEqual},
    {">=", Comparison::kGreaterEqual}, {"in", Comparison::kIn},
};

absl::StatusOr<bool> IsMultiple(Context& context, const Value& value, int64_t divisor,
                                int64_t rest) {
  WEFT_ASSIGN_OR_RETURN(const Value remainder,
                        Binary(context, BinaryOp::kModulo, value, Value::MakeInt(divisor)));
  return Equal(context, remainder, Value::MakeInt(rest));
}

absl::StatusOr<bool> HasCaseOf(Context& context, const Value& value, bool upper) {
  WEFT_ASSIGN_OR_RETURN(const Value text, Str(context, value));
  WEFT_RETURN_IF_ERROR(context.Scan(2 * text.AsString().size()));
  return HasCase(text.AsString(), upper);
}

// The same object: small values that Python keeps one copy of, and shared ones.
bool IsSame(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return a.AsBool() == b.AsBool();
    case Kind::kInt:
      return a.AsInt() == b.AsInt();
    case Kind::kString:
      return &a.AsString() == &b.AsString();
    case Kind::kSequence:
      return &a.AsSequence() == &b.AsSequence();
    case Kind::kDict:
      return &a.AsDict() == &b.AsDict();
    case Kind::kObject:
      return &a.AsObject() == &b.AsObject();
    case Kind::kUndefined:
    case Kind::kFloat:
      return false;
  }
  return false;
}

bool HasTest(absl::string_view name) {
  for (const auto& [plain, test] : kPlainTests) {
    if (plain == name) return true;
  }
  for (const auto& [operation, comparison] : kComparisons) {
    if (operation == name) return true;
  }
  for (absl::string_view other :
       {"odd", "even", "divisibleby", "lower", "upper", "sameas", "filter", "test"}) {
    if (other == name) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> ApplyTest(Context& context, absl::string_view name, const Value& subject,
                               const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(context.Step());
  const std::string what = absl::StrCat("test '", Shown(name), "'");
  for (const auto& [plain, test] : kPlainTests) {
    if (plain != name) continue;
    WEFT_RETURN_IF_ERROR(Bind(arguments, what, {}).status());
    return test(subject);
  }
  for (const auto& [operation, comparison] : kComparisons) {
    if (operation != name) continue;
    WEFT_ASSIGN_OR_RETURN(const auto bound, Bind(arguments, what, {"other"}, 1));
    return Compare(context, comparison, subject, *bound[0]);
  }
  if (!HasTest(name)) {
    return absl::UnimplementedError(absl::StrCat("the test '", Shown(name), "' is not supported"));
  }
  if (name == "divisibleby" || name == "sameas") {
    WEFT_ASSIGN_OR_RETURN(const auto bound, Bind(arguments, what, {"other"}, 1));
    if (name == "sameas") return IsSame(subject, *bound[0]);
    WEFT_ASSIGN_OR_RETURN(const Value rest, Binary(context, BinaryOp::kModulo, subject, *bound[0]));
    return Equal(context, rest, Value::MakeInt(0));
  }
  WEFT_RETURN_IF_ERROR(Bind(arguments, what, {}).status());
  if (name == "odd") return IsMultiple(context, subject, 2, 1);
  if (name == "even") return IsMultiple(context, subject, 2, 0);
  if (name == "upper" || name == "lower") return HasCaseOf(context, subject, name == "upper");
  if (!subject.is_string()) return false;
  return name == "filter" ? HasFilter(subject.AsString()) : HasTest(subject.AsString());
}

}  // namespace weft::jinja
