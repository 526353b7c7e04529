#include "runtime/text/jinja_expression_parser.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"

namespace weft::jinja {
namespace {

std::optional<Comparison> ComparisonOf(const Token& token) {
  static constexpr std::pair<absl::string_view, Comparison> kComparisons[] = {
      {"==", Comparison::kEqual},  {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},    {"<=", Comparison::kLessEqual},
      {">", Comparison::kGreater}, {">=", Comparison::kGreaterEqual}};
  for (const auto& [text, comparison] : kComparisons) {
    if (token.IsOperator(text)) return comparison;
  }
  return std::nullopt;
}

std::optional<Value> ConstantOf(absl::string_view name) {
  if (name == "true" || name == "True") return Value::MakeBool(true);
  if (name == "false" || name == "False") return Value::MakeBool(false);
  if (name == "none" || name == "None") return Value::MakeNone();
  return std::nullopt;
}

}  // namespace

Token ExpressionParser::Next() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool ExpressionParser::SkipOperator(absl::string_view op) {
  if (!current().IsOperator(op)) return false;
  Next();
  return true;
}

bool ExpressionParser::SkipName(absl::string_view name) {
  if (!current().IsName(name)) return false;
  Next();
  return true;
}

absl::Status ExpressionParser::ExpectOperator(absl::string_view op) {
  if (SkipOperator(op)) return absl::OkStatus();
  return Error(absl::StrCat("expected '", op, "', got ", Describe(current())));
}

absl::Status ExpressionParser::Expect(TokenKind kind, absl::string_view what) {
  if (current().kind != kind) {
    return Error(absl::StrCat("expected ", what, ", got ", Describe(current())));
  }
  Next();
  return absl::OkStatus();
}

absl::StatusOr<std::string> ExpressionParser::ExpectName(absl::string_view what) {
  std::string name = current().text;
  WEFT_RETURN_IF_ERROR(Expect(TokenKind::kName, what));
  return name;
}

absl::Status ExpressionParser::Error(absl::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(AtLine(current().line), problem));
}

absl::Status ExpressionParser::CheckDepth(int depth) const {
  if (depth <= max_depth_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      AtLine(current().line), "the template is nested more than ", max_depth_, " deep"));
}

absl::Status ExpressionParser::CheckLevel() const {
  WEFT_RETURN_IF_ERROR(CheckDepth(depth_));
  const uintptr_t place = StackPlace();
  if (place >= stack_ || stack_ - place <= stack_bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(AtLine(current().line), "the template is nested so deep that to read it takes ",
                   stack_bytes_, " bytes of stack"));
}

ExprPtr ExpressionParser::New(ExprKind kind) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = current().line;
  return expr;
}

absl::StatusOr<ExprPtr> ExpressionParser::Finish(ExprPtr expr) const {
  int depth = 0;
  auto add = [&depth](const ExprPtr& part) {
    if (part != nullptr) depth = std::max(depth, part->depth);
  };
  for (const ExprPtr& operand : expr->operands) add(operand);
  if (expr->arguments != nullptr) {
    for (const ExprPtr& argument : expr->arguments->positional) add(argument);
    for (const auto& [name, argument] : expr->arguments->named) add(argument);
    add(expr->arguments->star);
    add(expr->arguments->double_star);
  }
  expr->depth = depth + 1;
  WEFT_RETURN_IF_ERROR(CheckDepth(expr->depth));
  return expr;
}

absl::StatusOr<ExprPtr> ExpressionParser::LeftAssociative(
    Rule operand, std::initializer_list<std::pair<absl::string_view, BinaryOp>> operators) {
  WEFT_ASSIGN_OR_RETURN(ExprPtr left, (this->*operand)());
  while (true) {
    const auto* op = std::find_if(operators.begin(), operators.end(),
                                  [&](const auto& o) { return current().IsOperator(o.first); });
    if (op == operators.end()) return left;
    ExprPtr expr = New(ExprKind::kBinary);
    Next();
    expr->binary = op->second;
    WEFT_ASSIGN_OR_RETURN(ExprPtr right, (this->*operand)());
    expr->operands.push_back(std::move(left));
    expr->operands.push_back(std::move(right));
    WEFT_ASSIGN_OR_RETURN(left, Finish(std::move(expr)));
  }
}

bool ExpressionParser::AtTupleEnd() const {
  const TokenKind kind = current().kind;
  return kind == TokenKind::kVariableEnd || kind == TokenKind::kBlockEnd ||
         kind == TokenKind::kEnd || current().IsOperator(")");
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseTuple(bool conditional, bool in_parentheses) {
  ExprPtr tuple = New(ExprKind::kTuple);
  bool comma = false;
  while (!AtTupleEnd()) {
    WEFT_ASSIGN_OR_RETURN(ExprPtr item, conditional ? ParseExpression() : ParseOr());
    tuple->operands.push_back(std::move(item));
    if (!SkipOperator(",")) break;
    comma = true;
  }
  if (!comma && tuple->operands.size() == 1) return std::move(tuple->operands[0]);
  if (tuple->operands.empty() && !in_parentheses) {
    return Error(absl::StrCat("expected an expression, got ", Describe(current())));
  }
  return Finish(std::move(tuple));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseExpression() { return ParseConditional(); }

absl::StatusOr<ExprPtr> ExpressionParser::ParseConditional() {
  Level level(*this);
  WEFT_RETURN_IF_ERROR(level.Check());
  WEFT_ASSIGN_OR_RETURN(ExprPtr value, ParseOr());
  while (current().IsName("if")) {
    ExprPtr expr = New(ExprKind::kConditional);
    Next();
    WEFT_ASSIGN_OR_RETURN(ExprPtr condition, ParseOr());
    ExprPtr otherwise;
    if (SkipName("else")) {
      WEFT_ASSIGN_OR_RETURN(otherwise, ParseConditional());
    }
    expr->operands.push_back(std::move(condition));
    expr->operands.push_back(std::move(value));
    expr->operands.push_back(std::move(otherwise));
    WEFT_ASSIGN_OR_RETURN(value, Finish(std::move(expr)));
  }
  return value;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseOr() {
  WEFT_ASSIGN_OR_RETURN(ExprPtr left, ParseAnd());
  while (current().IsName("or")) {
    ExprPtr expr = New(ExprKind::kOr);
    Next();
    WEFT_ASSIGN_OR_RETURN(ExprPtr right, ParseAnd());
    expr->operands.push_back(std::move(left));
    expr->operands.push_back(std::move(right));
    WEFT_ASSIGN_OR_RETURN(left, Finish(std::move(expr)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseAnd() {
  WEFT_ASSIGN_OR_RETURN(ExprPtr left, ParseNot());
  while (current().IsName("and")) {
    ExprPtr expr = New(ExprKind::kAnd);
    Next();
    WEFT_ASSIGN_OR_RETURN(ExprPtr right, ParseNot());
    expr->operands.push_back(std::move(left));
    expr->operands.push_back(std::move(right));
    WEFT_ASSIGN_OR_RETURN(left, Finish(std::move(expr)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseNot() {
  Level level(*this);
  WEFT_RETURN_IF_ERROR(level.Check());
  if (!current().IsName("not")) return ParseCompare();
  ExprPtr expr = New(ExprKind::kNot);
  Next();
  WEFT_ASSIGN_OR_RETURN(ExprPtr operand, ParseNot());
  expr->operands.push_back(std::move(operand));
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseCompare() {
  ExprPtr expr = New(ExprKind::kCompare);
  WEFT_ASSIGN_OR_RETURN(ExprPtr first, ParseSum());
  expr->operands.push_back(std::move(first));
  while (true) {
    if (const auto comparison = ComparisonOf(current()); comparison.has_value()) {
      expr->comparisons.push_back(*comparison);
    } else if (current().IsName("in")) {
      expr->comparisons.push_back(Comparison::kIn);
    } else if (current().IsName("not") && ahead().IsName("in")) {
      Next();
      expr->comparisons.push_back(Comparison::kNotIn);
    } else {
      break;
    }
    Next();
    WEFT_ASSIGN_OR_RETURN(ExprPtr operand, ParseSum());
    expr->operands.push_back(std::move(operand));
  }
  if (expr->comparisons.empty()) return std::move(expr->operands[0]);
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseSum() {
  return LeftAssociative(&ExpressionParser::ParseConcat,
                         {{"+", BinaryOp::kAdd}, {"-", BinaryOp::kSubtract}});
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseConcat() {
  ExprPtr expr = New(ExprKind::kConcat);
  do {
    WEFT_ASSIGN_OR_RETURN(ExprPtr part, ParseProduct());
    expr->operands.push_back(std::move(part));
  } while (SkipOperator("~"));
  if (expr->operands.size() == 1) return std::move(expr->operands[0]);
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseProduct() {
  return LeftAssociative(&ExpressionParser::ParsePower, {{"*", BinaryOp::kMultiply},
                                                         {"/", BinaryOp::kDivide},
                                                         {"//", BinaryOp::kFloorDivide},
                                                         {"%", BinaryOp::kModulo}});
}

absl::StatusOr<ExprPtr> ExpressionParser::ParsePower() {
  return LeftAssociative(&ExpressionParser::ParseUnary, {{"**", BinaryOp::kPower}});
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseUnary(bool with_filters) {
  Level level(*this);
  WEFT_RETURN_IF_ERROR(level.Check());
  ExprPtr expr;
  if (current().IsOperator("-") || current().IsOperator("+")) {
    expr = New(current().IsOperator("-") ? ExprKind::kNegate : ExprKind::kPositive);
    Next();
    WEFT_ASSIGN_OR_RETURN(ExprPtr operand, ParseUnary(false));
    expr->operands.push_back(std::move(operand));
    WEFT_ASSIGN_OR_RETURN(expr, Finish(std::move(expr)));
  } else {
    WEFT_ASSIGN_OR_RETURN(expr, ParsePrimary());
  }
  WEFT_ASSIGN_OR_RETURN(expr, ParsePostfix(std::move(expr)));
  if (!with_filters) return expr;
  return ParseFiltersAndTests(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParsePrimary() {
  ExprPtr expr = New(ExprKind::kLiteral);
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::kName:
      if (std::optional<Value> constant = ConstantOf(token.text); constant.has_value()) {
        expr->literal = *constant;
      } else {
        expr->kind = ExprKind::kName;
        expr->name = token.text;
        special_names_.varargs |= token.text == "varargs";
        special_names_.kwargs |= token.text == "kwargs";
        special_names_.caller |= token.text == "caller";
      }
      Next();
      return expr;
    case TokenKind::kString: {
      std::string text;
      while (current().kind == TokenKind::kString) text += Next().text;
      expr->literal = Value::MakeString(std::move(text));
      return expr;
    }
    case TokenKind::kInteger:
      expr->literal = Value::MakeInt(token.integer);
      Next();
      return expr;
    case TokenKind::kFloat:
      expr->literal = Value::MakeFloat(token.number);
      Next();
      return expr;
    default:
      break;
  }
  if (SkipOperator("(")) {
    WEFT_ASSIGN_OR_RETURN(ExprPtr inner, ParseTuple(true, true));
    WEFT_RETURN_IF_ERROR(ExpectOperator(")"));
    return inner;
  }
  if (token.IsOperator("[")) return ParseList();
  if (token.IsOperator("{")) return ParseDict();
  return Error(absl::StrCat("expected an expression, got ", Describe(token)));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseList() {
  ExprPtr expr = New(ExprKind::kList);
  Next();
  while (!current().IsOperator("]")) {
    WEFT_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    expr->operands.push_back(std::move(item));
    if (!SkipOperator(",")) break;
  }
  WEFT_RETURN_IF_ERROR(ExpectOperator("]"));
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseDict() {
  ExprPtr expr = New(ExprKind::kDict);
  Next();
  while (!current().IsOperator("}")) {
    WEFT_ASSIGN_OR_RETURN(ExprPtr key, ParseExpression());
    WEFT_RETURN_IF_ERROR(ExpectOperator(":"));
    WEFT_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    expr->operands.push_back(std::move(key));
    expr->operands.push_back(std::move(value));
    if (!SkipOperator(",")) break;
  }
  WEFT_RETURN_IF_ERROR(ExpectOperator("}"));
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParsePostfix(ExprPtr expr) {
  while (true) {
    if (current().IsOperator(".")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseAttribute(std::move(expr)));
    } else if (current().IsOperator("[")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseSubscript(std::move(expr)));
    } else if (current().IsOperator("(")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      return expr;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseAttribute(ExprPtr object) {
  ExprPtr expr = New(ExprKind::kAttribute);
  expr->operands.push_back(std::move(object));
  Next();
  if (current().kind == TokenKind::kInteger) {
    expr->kind = ExprKind::kSubscript;
    ExprPtr key = New(ExprKind::kLiteral);
    key->literal = Value::MakeInt(Next().integer);
    expr->operands.push_back(std::move(key));
  } else {
    WEFT_ASSIGN_OR_RETURN(expr->name, ExpectName("a name or a number after '.'"));
  }
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseSubscript(ExprPtr object) {
  ExprPtr expr = New(ExprKind::kSubscript);
  expr->operands.push_back(std::move(object));
  Next();
  ExprPtr first;
  if (!current().IsOperator(":")) {
    WEFT_ASSIGN_OR_RETURN(first, ParseExpression());
  }
  expr->operands.push_back(std::move(first));
  if (current().IsOperator(":")) {
    expr->kind = ExprKind::kSlice;
    expr->operands.resize(4);
    for (size_t part = 2; part < 4 && SkipOperator(":"); ++part) {
      if (current().IsOperator("]") || current().IsOperator(":")) continue;
      WEFT_ASSIGN_OR_RETURN(expr->operands[part], ParseExpression());
    }
  } else if (current().IsOperator(",")) {
    return Error("a subscript of several values is not supported");
  }
  WEFT_RETURN_IF_ERROR(ExpectOperator("]"));
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseCall(ExprPtr callee) {
  ExprPtr expr = New(ExprKind::kCall);
  expr->operands.push_back(std::move(callee));
  expr->arguments = std::make_unique<CallArguments>();
  WEFT_RETURN_IF_ERROR(ParseArguments(*expr->arguments));
  return Finish(std::move(expr));
}

absl::Status ExpressionParser::ParseArguments(CallArguments& arguments) {
  WEFT_RETURN_IF_ERROR(ExpectOperator("("));
  while (!current().IsOperator(")")) {
    if (arguments.double_star != nullptr) return Error("no argument can follow '**'");
    if (SkipOperator("**")) {
      WEFT_ASSIGN_OR_RETURN(arguments.double_star, ParseExpression());
    } else if (current().IsOperator("*")) {
      if (arguments.star != nullptr) return Error("a call can have only one '*'");
      Next();
      WEFT_ASSIGN_OR_RETURN(arguments.star, ParseExpression());
    } else if (current().kind == TokenKind::kName && ahead().IsOperator("=")) {
      Value name = Value::MakeString(Next().text);
      Next();
      WEFT_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      arguments.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (arguments.star != nullptr || !arguments.named.empty()) {
        return Error("a positional argument cannot follow a named one");
      }
      WEFT_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      arguments.positional.push_back(std::move(value));
    }
    if (!SkipOperator(",")) break;
  }
  return ExpectOperator(")");
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseFiltersAndTests(ExprPtr expr) {
  while (true) {
    if (current().IsOperator("|")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseFilters(std::move(expr), false));
    } else if (current().IsName("is")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseTest(std::move(expr)));
    } else if (current().IsOperator("(")) {
      WEFT_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      return expr;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseFilters(ExprPtr input, bool inline_start) {
  while (inline_start || SkipOperator("|")) {
    inline_start = false;
    ExprPtr expr = New(ExprKind::kFilter);
    WEFT_ASSIGN_OR_RETURN(expr->name, ExpectName("a filter's name"));
    expr->operands.push_back(std::move(input));
    expr->arguments = std::make_unique<CallArguments>();
    if (current().IsOperator("(")) {
      WEFT_RETURN_IF_ERROR(ParseArguments(*expr->arguments));
    }
    WEFT_ASSIGN_OR_RETURN(input, Finish(std::move(expr)));
  }
  return input;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseTest(ExprPtr subject) {
  ExprPtr expr = New(ExprKind::kTest);
  Next();
  const bool negated = SkipName("not");
  WEFT_ASSIGN_OR_RETURN(expr->name, ExpectName("a test's name"));
  expr->operands.push_back(std::move(subject));
  expr->arguments = std::make_unique<CallArguments>();
  const Token& token = current();
  const bool begins_value = token.kind == TokenKind::kString || token.kind == TokenKind::kInteger ||
                            token.kind == TokenKind::kFloat || token.IsOperator("[") ||
                            token.IsOperator("{") ||
                            (token.kind == TokenKind::kName && token.text != "else" &&
                             token.text != "or" && token.text != "and");
  if (token.IsOperator("(")) {
    WEFT_RETURN_IF_ERROR(ParseArguments(*expr->arguments));
  } else if (begins_value) {
    if (token.IsName("is")) return Error("tests cannot be chained with 'is'");
    WEFT_ASSIGN_OR_RETURN(ExprPtr argument, ParsePrimary());
    WEFT_ASSIGN_OR_RETURN(argument, ParsePostfix(std::move(argument)));
    expr->arguments->positional.push_back(std::move(argument));
  }
  WEFT_ASSIGN_OR_RETURN(ExprPtr test, Finish(std::move(expr)));
  if (!negated) return test;
  ExprPtr inverse = New(ExprKind::kNot);
  inverse->operands.push_back(std::move(test));
  return Finish(std::move(inverse));
}

absl::StatusOr<Target> ExpressionParser::ParseTargetItem(bool with_namespace) {
  if (SkipOperator("(")) {
    WEFT_ASSIGN_OR_RETURN(Target target, ParseTarget(with_namespace));
    WEFT_RETURN_IF_ERROR(ExpectOperator(")"));
    return target;
  }
  Target target;
  WEFT_ASSIGN_OR_RETURN(target.name, ExpectName("a name to assign to"));
  if (ConstantOf(target.name).has_value()) {
    return Error(absl::StrCat("cannot assign to '", target.name, "'"));
  }
  if (with_namespace && SkipOperator(".")) {
    WEFT_ASSIGN_OR_RETURN(std::string attribute, ExpectName("a name after '.'"));
    target.attribute = Value::MakeString(std::move(attribute));
  }
  return target;
}

absl::StatusOr<Target> ExpressionParser::ParseTarget(bool with_namespace) {
  Level level(*this);
  WEFT_RETURN_IF_ERROR(level.Check());
  WEFT_ASSIGN_OR_RETURN(Target first, ParseTargetItem(with_namespace));
  if (!current().IsOperator(",")) return first;
  Target tuple;
  tuple.is_tuple = true;
  tuple.items.push_back(std::move(first));
  while (SkipOperator(",")) {
    if (current().IsName("in") || current().IsOperator(")")) break;
    WEFT_ASSIGN_OR_RETURN(Target item, ParseTargetItem(with_namespace));
    tuple.items.push_back(std::move(item));
  }
  return tuple;
}

}  // namespace weft::jinja
