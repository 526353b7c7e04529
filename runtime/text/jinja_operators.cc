#include "runtime/text/jinja_operators.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

absl::string_view Symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSubtract:
      return "-";
    case BinaryOp::kMultiply:
      return "*";
    case BinaryOp::kDivide:
      return "/";
    case BinaryOp::kFloorDivide:
      return "//";
    case BinaryOp::kModulo:
      return "%";
    case BinaryOp::kPower:
      return "**";
  }
  return "?";
}

absl::Status Overflow(absl::string_view op) {
  return absl::InvalidArgumentError(absl::StrCat("the result of '", op, "' does not fit 64 bits"));
}

absl::Status DivisionByZero() { return absl::InvalidArgumentError("division by zero"); }

absl::StatusOr<Value> IntPower(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Overflow("**");
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return Overflow("**");
  }
  return Value::MakeInt(result);
}

absl::StatusOr<Value> IntBinary(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case BinaryOp::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return Overflow("+");
      return Value::MakeInt(result);
    case BinaryOp::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return Overflow("-");
      return Value::MakeInt(result);
    case BinaryOp::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return Overflow("*");
      return Value::MakeInt(result);
    case BinaryOp::kDivide:
      if (b == 0) return DivisionByZero();
      return Value::MakeFloat(double(a) / double(b));
    case BinaryOp::kFloorDivide:
    case BinaryOp::kModulo: {
      if (b == 0) return DivisionByZero();
      if (b == -1) {
        // The smallest number has no opposite; division would trap.
        if (op == BinaryOp::kModulo) return Value::MakeInt(0);
        if (__builtin_sub_overflow(int64_t{0}, a, &result)) return Overflow("//");
        return Value::MakeInt(result);
      }
      // C++ rounds to zero, Python down.
      const int64_t remainder = a % b;
      const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
      if (op == BinaryOp::kModulo) return Value::MakeInt(adjust ? remainder + b : remainder);
      return Value::MakeInt(a / b - (adjust ? 1 : 0));
    }
    case BinaryOp::kPower:
      break;
  }
  if (b >= 0) return IntPower(a, b);
  if (a == 0) return DivisionByZero();
  return Value::MakeFloat(std::pow(double(a), double(b)));
}

absl::StatusOr<Value> FloatBinary(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::MakeFloat(a + b);
    case BinaryOp::kSubtract:
      return Value::MakeFloat(a - b);
    case BinaryOp::kMultiply:
      return Value::MakeFloat(a * b);
    case BinaryOp::kDivide:
      if (b == 0) return DivisionByZero();
      return Value::MakeFloat(a / b);
    case BinaryOp::kFloorDivide:
    case BinaryOp::kModulo: {
      if (b == 0) return DivisionByZero();
      // As CPython's float_divmod: the remainder has the sign of b, and the quotient is the integer
      // nearest to (a - r) / b.
      double remainder = std::fmod(a, b);
      double quotient = (a - remainder) / b;
      if (remainder == 0) {
        remainder = std::copysign(0.0, b);
      } else if ((remainder < 0) != (b < 0)) {
        remainder += b;
        quotient -= 1;
      }
      if (op == BinaryOp::kModulo) return Value::MakeFloat(remainder);
      if (quotient == 0) return Value::MakeFloat(std::copysign(0.0, a / b));
      const double floor = std::floor(quotient);
      return Value::MakeFloat(quotient - floor > 0.5 ? floor + 1 : floor);
    }
    case BinaryOp::kPower:
      break;
  }
  if (a == 0 && b < 0) return DivisionByZero();
  if (a < 0 && std::isfinite(b) && b != std::floor(b)) {
    return absl::InvalidArgumentError("a power with a complex result is not supported");
  }
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
    return absl::InvalidArgumentError("the result of '**' is too large");
  }
  return Value::MakeFloat(result);
}

bool IsPlainSequence(const Value& value) {
  return value.is_sequence() && (value.AsSequence().kind == SequenceKind::kList ||
                                 value.AsSequence().kind == SequenceKind::kTuple);
}

absl::StatusOr<Value> Repeat(Context& context, const Value& value, int64_t count) {
  const size_t times = count > 0 ? size_t(count) : 0;
  const size_t size = value.is_string() ? value.AsString().size() : value.AsSequence().items.size();
  const size_t unit = value.is_string() ? 1 : sizeof(Value);
  size_t bytes = 0;
  if (__builtin_mul_overflow(times, size * unit, &bytes))
    bytes = std::numeric_limits<size_t>::max();
  if (value.is_string()) {
    WEFT_RETURN_IF_ERROR(context.CheckText(bytes));
    WEFT_RETURN_IF_ERROR(context.Read(bytes));
    std::string text;
    text.reserve(bytes);
    for (size_t i = 0; i < times && size > 0; ++i) text += value.AsString();
    return context.NewString(std::move(text));
  }
  WEFT_RETURN_IF_ERROR(context.Charge(bytes));
  WEFT_RETURN_IF_ERROR(context.Step(bytes / sizeof(Value)));
  std::vector<Value> items;
  items.reserve(times * size);
  for (size_t i = 0; i < times && size > 0; ++i) {
    items.insert(items.end(), value.AsSequence().items.begin(), value.AsSequence().items.end());
  }
  return context.NewSequence(value.AsSequence().kind, std::move(items));
}

absl::StatusOr<Value> Concatenate(Context& context, const Value& left, const Value& right) {
  if (left.is_string()) {
    const size_t bytes = left.AsString().size() + right.AsString().size();
    WEFT_RETURN_IF_ERROR(context.Read(bytes));
    WEFT_RETURN_IF_ERROR(context.CheckText(bytes));
    return context.NewString(absl::StrCat(left.AsString(), right.AsString()));
  }
  const std::vector<Value>& first = left.AsSequence().items;
  const std::vector<Value>& more = right.AsSequence().items;
  WEFT_RETURN_IF_ERROR(context.Step(first.size() + more.size()));
  WEFT_RETURN_IF_ERROR(context.Charge((first.size() + more.size()) * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(first.size() + more.size());
  items.insert(items.end(), first.begin(), first.end());
  items.insert(items.end(), more.begin(), more.end());
  return context.NewSequence(left.AsSequence().kind, std::move(items));
}

absl::StatusOr<bool> NumbersLess(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return left.AsInt() < right.AsInt();
  // x86's long double holds every int64 and every double exactly.
  auto exact = [](const Value& v) {
    return v.is_float() ? static_cast<long double>(v.AsFloat())
                        : static_cast<long double>(v.AsInt());
  };
  return exact(left) < exact(right);
}

absl::StatusOr<bool> SequencesEqual(Context& context, const Sequence& a, const Sequence& b) {
  if (&a == &b) return true;
  const bool comparable = a.kind == b.kind && a.kind != SequenceKind::kIterator;
  if (!comparable || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, a.items[i], b.items[i]));
    if (!equal) return false;
  }
  return true;
}

absl::StatusOr<bool> DictsEqual(Context& context, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    WEFT_ASSIGN_OR_RETURN(const Value* other, Lookup(context, b, key));
    if (other == nullptr) return false;
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, value, *other));
    if (!equal) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Value> Binary(Context& context, BinaryOp op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) return TypeError(*value, "");
  }
  if (left.is_integral() && right.is_integral()) return IntBinary(op, left.AsInt(), right.AsInt());
  if (left.is_number() && right.is_number())
    return FloatBinary(op, left.AsFloat(), right.AsFloat());
  if (op == BinaryOp::kAdd) {
    const bool same_sequences = IsPlainSequence(left) && IsPlainSequence(right) &&
                                left.AsSequence().kind == right.AsSequence().kind;
    if ((left.is_string() && right.is_string()) || same_sequences) {
      return Concatenate(context, left, right);
    }
  }
  if (op == BinaryOp::kMultiply) {
    const bool on_left = left.is_string() || IsPlainSequence(left);
    if (on_left && right.is_integral()) return Repeat(context, left, right.AsInt());
    const bool on_right = right.is_string() || IsPlainSequence(right);
    if (on_right && left.is_integral()) return Repeat(context, right, left.AsInt());
  }
  if (op == BinaryOp::kModulo && left.is_string()) {
    return absl::UnimplementedError("formatting text with '%' is not supported; use '~'");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", Symbol(op), "' does not work on '", left.TypeName(), "' and '", right.TypeName(), "'"));
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (value.is_float()) return Value::MakeFloat(-value.AsFloat());
  if (!value.is_integral()) return TypeError(value, "cannot be negated");
  return IntBinary(BinaryOp::kSubtract, 0, value.AsInt());
}

absl::StatusOr<Value> Positive(const Value& value) {
  if (value.is_float()) return value;
  if (!value.is_integral()) return TypeError(value, "cannot follow a unary '+'");
  return Value::MakeInt(value.AsInt());
}

absl::StatusOr<bool> Equal(Context& context, const Value& left, const Value& right) {
  WEFT_RETURN_IF_ERROR(context.Step());
  if (left.is_number() && right.is_number()) {
    if (left.is_integral() && right.is_integral()) return left.AsInt() == right.AsInt();
    if (left.is_float() && right.is_float()) return left.AsFloat() == right.AsFloat();
    WEFT_ASSIGN_OR_RETURN(const bool less, NumbersLess(left, right));
    WEFT_ASSIGN_OR_RETURN(const bool greater, NumbersLess(right, left));
    const bool nan = std::isnan(left.AsFloat()) || std::isnan(right.AsFloat());
    return !nan && !less && !greater;
  }
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      WEFT_RETURN_IF_ERROR(context.Read(std::min(left.AsString().size(), right.AsString().size())));
      return left.AsString() == right.AsString();
    case Kind::kSequence:
      return SequencesEqual(context, left.AsSequence(), right.AsSequence());
    case Kind::kDict:
      return DictsEqual(context, left.AsDict(), right.AsDict());
    case Kind::kObject:
      return &left.AsObject() == &right.AsObject();
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      break;
  }
  return false;
}

absl::StatusOr<bool> Less(Context& context, const Value& left, const Value& right) {
  WEFT_RETURN_IF_ERROR(context.Step());
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) return TypeError(*value, "");
  }
  if (left.is_number() && right.is_number()) return NumbersLess(left, right);
  if (left.is_string() && right.is_string()) {
    // The order of UTF-8 bytes is that of code points.
    WEFT_RETURN_IF_ERROR(context.Read(std::min(left.AsString().size(), right.AsString().size())));
    return left.AsString() < right.AsString();
  }
  if (IsPlainSequence(left) && IsPlainSequence(right) &&
      left.AsSequence().kind == right.AsSequence().kind) {
    const std::vector<Value>& a = left.AsSequence().items;
    const std::vector<Value>& b = right.AsSequence().items;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
      WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, a[i], b[i]));
      if (!equal) return Less(context, a[i], b[i]);
    }
    return a.size() < b.size();
  }
  return absl::InvalidArgumentError(absl::StrCat("'", left.TypeName(), "' and '", right.TypeName(),
                                                 "' have no order to compare them by"));
}

absl::StatusOr<bool> Compare(Context& context, Comparison comparison, const Value& left,
                             const Value& right) {
  absl::StatusOr<bool> result = false;
  switch (comparison) {
    case Comparison::kEqual:
      return Equal(context, left, right);
    case Comparison::kNotEqual:
      result = Equal(context, left, right);
      break;
    case Comparison::kLess:
      return Less(context, left, right);
    case Comparison::kGreater:
      return Less(context, right, left);
    case Comparison::kLessEqual:
    case Comparison::kGreaterEqual: {
      const bool swap = comparison == Comparison::kGreaterEqual;
      WEFT_ASSIGN_OR_RETURN(const bool less,
                            swap ? Less(context, right, left) : Less(context, left, right));
      return less ? true : Equal(context, left, right);
    }
    case Comparison::kIn:
      return Contains(context, right, left);
    case Comparison::kNotIn:
      result = Contains(context, right, left);
      break;
  }
  if (!result.ok()) return result;
  return !*result;
}

absl::StatusOr<bool> Contains(Context& context, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) return TypeError(item, "cannot be looked for in text");
    WEFT_RETURN_IF_ERROR(context.Read(container.AsString().size() + item.AsString().size()));
    return Find(container.AsString(), item.AsString()) != absl::string_view::npos;
  }
  if (container.is_dict()) {
    WEFT_ASSIGN_OR_RETURN(const Value* found, Lookup(context, container.AsDict(), item));
    return found != nullptr;
  }
  if (container.is_undefined()) return false;
  if (!container.is_sequence()) return TypeError(container, "cannot be searched with 'in'");
  const Sequence& sequence = container.AsSequence();
  const bool once = sequence.kind == SequenceKind::kIterator;
  for (size_t i = once ? sequence.next : 0; i < sequence.items.size(); ++i) {
    if (once) sequence.next = i + 1;
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, sequence.items[i], item));
    if (equal) return true;
  }
  return false;
}

}  // namespace weft::jinja
