// The expressions of Interpreter.
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_filters.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_interpreter.h"
#include "runtime/text/jinja_is_tests.h"
#include "runtime/text/jinja_methods.h"
#include "runtime/text/jinja_operators.h"

namespace weft::jinja {

absl::StatusOr<Value> Interpreter::Evaluate(const Expr& expr) {
  Context::DepthGuard guard(context_);
  WEFT_RETURN_IF_ERROR(guard.Check());
  WEFT_RETURN_IF_ERROR(context_.Step());
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return expr.literal;
    case ExprKind::kName:
      return Resolve(expr.name);
    case ExprKind::kList:
    case ExprKind::kTuple:
      return EvaluateList(expr);
    case ExprKind::kDict:
      return EvaluateDict(expr);
    case ExprKind::kAttribute:
    case ExprKind::kSubscript:
      return EvaluateAccess(expr);
    case ExprKind::kSlice:
      return EvaluateSlice(expr);
    case ExprKind::kCall:
      return EvaluateCall(expr);
    case ExprKind::kFilter:
      return EvaluateFilter(expr, nullptr);
    case ExprKind::kTest:
      return EvaluateTest(expr);
    case ExprKind::kNot:
    case ExprKind::kNegate:
    case ExprKind::kPositive:
      return EvaluateUnary(expr);
    case ExprKind::kBinary:
      return EvaluateBinary(expr);
    case ExprKind::kCompare:
      return EvaluateCompare(expr);
    case ExprKind::kConcat:
      return EvaluateConcat(expr);
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return EvaluateLogic(expr);
    case ExprKind::kConditional:
      return EvaluateConditional(expr);
  }
  return absl::InternalError("an expression of unknown kind");
}

absl::StatusOr<Value> Interpreter::Resolve(absl::string_view name) {
  for (Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    WEFT_RETURN_IF_ERROR(context_.Read(name.size()));
    if (auto it = scope->names.find(name); it != scope->names.end()) return it->second;
  }
  return context_.NewUndefined(absl::StrCat("'", Shown(name), "' is undefined"));
}

absl::StatusOr<Value> Interpreter::EvaluateList(const Expr& expr) {
  // Those inside it are made while it waits.
  WEFT_RETURN_IF_ERROR(context_.Charge(expr.operands.size() * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(expr.operands.size());
  for (const ExprPtr& operand : expr.operands) {
    WEFT_ASSIGN_OR_RETURN(Value item, Evaluate(*operand));
    items.push_back(std::move(item));
  }
  return context_.NewSequence(
      expr.kind == ExprKind::kList ? SequenceKind::kList : SequenceKind::kTuple, std::move(items));
}

absl::StatusOr<Value> Interpreter::EvaluateDict(const Expr& expr) {
  WEFT_RETURN_IF_ERROR(context_.Charge(expr.operands.size() * sizeof(Value)));
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(expr.operands.size() / 2);
  for (size_t i = 0; i + 1 < expr.operands.size(); i += 2) {
    WEFT_ASSIGN_OR_RETURN(Value key, Evaluate(*expr.operands[i]));
    WEFT_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.operands[i + 1]));
    WEFT_RETURN_IF_ERROR(Insert(context_, entries, std::move(key), std::move(value)));
  }
  return context_.NewDict(std::move(entries));
}

absl::StatusOr<Value> Interpreter::EvaluateAccess(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
  if (expr.kind == ExprKind::kAttribute) return GetAttribute(context_, object, expr.name);
  WEFT_ASSIGN_OR_RETURN(const Value key, Evaluate(*expr.operands[1]));
  return GetItem(context_, object, key);
}

absl::StatusOr<Value> Interpreter::EvaluateSlice(const Expr& expr) {
  Value parts[4];
  for (size_t i = 0; i < 4; ++i) {
    parts[i] = Value::MakeNone();
    if (expr.operands[i] != nullptr) {
      WEFT_ASSIGN_OR_RETURN(parts[i], Evaluate(*expr.operands[i]));
    }
  }
  return GetSlice(context_, parts[0], parts[1], parts[2], parts[3]);
}

absl::StatusOr<Arguments> Interpreter::EvaluateArguments(const CallArguments& arguments) {
  Arguments values;
  WEFT_RETURN_IF_ERROR(context_.Charge(arguments.positional.size() * sizeof(Value) +
                                       arguments.named.size() * sizeof(values.named[0])));
  values.positional.reserve(arguments.positional.size());
  values.named.reserve(arguments.named.size());
  for (const ExprPtr& argument : arguments.positional) {
    WEFT_ASSIGN_OR_RETURN(Value value, Evaluate(*argument));
    values.positional.push_back(std::move(value));
  }
  if (arguments.star != nullptr) {
    WEFT_ASSIGN_OR_RETURN(const Value more, Evaluate(*arguments.star));
    WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context_, more));
    WEFT_RETURN_IF_ERROR(context_.ChargeGrowing<Value>(items.size()));
    values.positional.insert(values.positional.end(), items.begin(), items.end());
  }
  for (const auto& [name, argument] : arguments.named) {
    WEFT_ASSIGN_OR_RETURN(Value value, Evaluate(*argument));
    values.named.emplace_back(name, std::move(value));
  }
  if (arguments.double_star != nullptr) {
    WEFT_ASSIGN_OR_RETURN(const Value more, Evaluate(*arguments.double_star));
    if (!more.is_dict()) return TypeError(more, "cannot follow '**', which needs a dict");
    const std::vector<std::pair<Value, Value>>& entries = more.AsDict().entries;
    WEFT_RETURN_IF_ERROR(context_.Step(entries.size()));
    WEFT_RETURN_IF_ERROR(context_.ChargeGrowing<Entry>(entries.size()));
    for (const auto& [name, value] : entries) {
      if (!name.is_string()) return TypeError(name, "cannot name an argument");
      values.named.emplace_back(name, value);
    }
  }
  return values;
}

absl::StatusOr<Value> Interpreter::EvaluateCall(const Expr& expr, const Value* added) {
  const Expr& callee = *expr.operands[0];
  // A method called at once needs no value of its own.
  if (callee.kind == ExprKind::kAttribute) {
    WEFT_ASSIGN_OR_RETURN(const Value receiver, Evaluate(*callee.operands[0]));
    WEFT_ASSIGN_OR_RETURN(const MethodKind method, FindMethod(receiver, callee.name));
    if (method == MethodKind::kForbidden) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", callee.name, "' would change a '", receiver.TypeName(),
                       "', which templates may not; use a namespace and '+'"));
    }
    if (method == MethodKind::kAllowed) {
      WEFT_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(*expr.arguments));
      return CallMethod(context_, receiver, callee.name, arguments);
    }
    WEFT_ASSIGN_OR_RETURN(const Value function, GetAttribute(context_, receiver, callee.name));
    return CallValue(function, *expr.arguments, added);
  }
  WEFT_ASSIGN_OR_RETURN(const Value function, Evaluate(callee));
  return CallValue(function, *expr.arguments, added);
}

absl::StatusOr<Value> Interpreter::CallValue(const Value& function, const CallArguments& given,
                                             const Value* added) {
  if (!function.is_object()) return TypeError(function, "cannot be called");
  WEFT_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(given));
  if (added != nullptr) arguments.named.emplace_back(Value::MakeString("caller"), *added);
  return function.AsObject().Call(context_, arguments);
}

absl::StatusOr<Value> Interpreter::EvaluateFilter(const Expr& expr, const Value* text) {
  Context::DepthGuard guard(context_);
  WEFT_RETURN_IF_ERROR(guard.Check());
  Value input;
  if (expr.operands[0] == nullptr) {
    input = *text;
  } else if (text != nullptr && expr.operands[0]->kind == ExprKind::kFilter) {
    WEFT_ASSIGN_OR_RETURN(input, EvaluateFilter(*expr.operands[0], text));
  } else {
    WEFT_ASSIGN_OR_RETURN(input, Evaluate(*expr.operands[0]));
  }
  WEFT_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(*expr.arguments));
  return ApplyFilter(context_, expr.name, input, arguments);
}

absl::StatusOr<Value> Interpreter::EvaluateTest(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(const Value subject, Evaluate(*expr.operands[0]));
  WEFT_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(*expr.arguments));
  WEFT_ASSIGN_OR_RETURN(const bool result, ApplyTest(context_, expr.name, subject, arguments));
  return Value::MakeBool(result);
}

absl::StatusOr<Value> Interpreter::EvaluateUnary(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(const Value operand, Evaluate(*expr.operands[0]));
  if (expr.kind == ExprKind::kNot) return Value::MakeBool(!operand.Truthy());
  return expr.kind == ExprKind::kNegate ? Negate(operand) : Positive(operand);
}

absl::StatusOr<Value> Interpreter::EvaluateBinary(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.operands[0]));
  WEFT_ASSIGN_OR_RETURN(const Value right, Evaluate(*expr.operands[1]));
  return Binary(context_, expr.binary, left, right);
}

absl::StatusOr<Value> Interpreter::EvaluateCompare(const Expr& expr) {
  // a < b < c compares neighbours, each evaluated once, and stops at the first that fails.
  WEFT_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.operands[0]));
  for (size_t i = 0; i < expr.comparisons.size(); ++i) {
    WEFT_ASSIGN_OR_RETURN(Value right, Evaluate(*expr.operands[i + 1]));
    WEFT_ASSIGN_OR_RETURN(const bool holds, Compare(context_, expr.comparisons[i], left, right));
    if (!holds) return Value::MakeBool(false);
    left = std::move(right);
  }
  return Value::MakeBool(true);
}

absl::StatusOr<Value> Interpreter::EvaluateConcat(const Expr& expr) {
  std::string text;
  for (const ExprPtr& operand : expr.operands) {
    WEFT_ASSIGN_OR_RETURN(const Value part, Evaluate(*operand));
    WEFT_RETURN_IF_ERROR(AppendStr(context_, part, text));
  }
  return context_.NewString(std::move(text));
}

absl::StatusOr<Value> Interpreter::EvaluateLogic(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.operands[0]));
  const bool decided = left.Truthy() == (expr.kind == ExprKind::kOr);
  if (decided) return left;
  return Evaluate(*expr.operands[1]);
}

absl::StatusOr<Value> Interpreter::EvaluateConditional(const Expr& expr) {
  WEFT_ASSIGN_OR_RETURN(const Value condition, Evaluate(*expr.operands[0]));
  if (condition.Truthy()) return Evaluate(*expr.operands[1]);
  if (expr.operands[2] != nullptr) return Evaluate(*expr.operands[2]);
  return context_.NewUndefined("an inline 'if' without 'else' was false");
}

}  // namespace weft::jinja
