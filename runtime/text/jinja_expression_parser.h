// Expressions of the template language, by recursive descent with Jinja's precedences, loosest
// first: if-else, or, and, not, comparisons and `in`, + and -, ~, * / // %, ** (to the left, unlike
// Python), unary, postfix, filters and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_lexer.h"

namespace weft::jinja {

class ExpressionParser {
 public:
  // `tokens` ends with kEnd. Trees and recursion deeper than the limits are refused.
  ExpressionParser(std::vector<Token> tokens, const Limits& limits)
      : tokens_(std::move(tokens)),
        max_depth_(limits.syntax_depth),
        stack_bytes_(limits.stack_bytes),
        stack_(StackPlace()) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token Next();
  bool SkipOperator(absl::string_view op);
  bool SkipName(absl::string_view name);
  absl::Status ExpectOperator(absl::string_view op);
  absl::Status Expect(TokenKind kind, absl::string_view what);
  absl::StatusOr<std::string> ExpectName(absl::string_view what);
  absl::Status Error(absl::string_view problem) const;

  absl::StatusOr<ExprPtr> ParseExpression();
  // One expression, or several with commas: a tuple. Without `conditional`, an `if` ends it.
  absl::StatusOr<ExprPtr> ParseTuple(bool conditional, bool in_parentheses = false);
  // `| name(arguments)` …; `input` may be null. With `inline_start` the first bar is missing.
  absl::StatusOr<ExprPtr> ParseFilters(ExprPtr input, bool inline_start);
  absl::StatusOr<Target> ParseTarget(bool with_namespace);

  // Which of the names that macros treat specially have been read so far.
  struct SpecialNames {
    bool varargs = false;
    bool kwargs = false;
    bool caller = false;
  };
  SpecialNames& special_names() { return special_names_; }

  // Counts a level of recursion for as long as it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    absl::Status Check() const { return parser_.CheckLevel(); }

   private:
    ExpressionParser& parser_;
  };

 private:
  using Rule = absl::StatusOr<ExprPtr> (ExpressionParser::*)();

  absl::Status CheckDepth(int depth) const;
  absl::Status CheckLevel() const;
  ExprPtr New(ExprKind kind) const;
  // Computes the depth of a tree whose parts are in place.
  absl::StatusOr<ExprPtr> Finish(ExprPtr expr) const;
  absl::StatusOr<ExprPtr> LeftAssociative(
      Rule operand, std::initializer_list<std::pair<absl::string_view, BinaryOp>> operators);

  absl::StatusOr<ExprPtr> ParseConditional();
  absl::StatusOr<ExprPtr> ParseOr();
  absl::StatusOr<ExprPtr> ParseAnd();
  absl::StatusOr<ExprPtr> ParseNot();
  absl::StatusOr<ExprPtr> ParseCompare();
  absl::StatusOr<ExprPtr> ParseSum();
  absl::StatusOr<ExprPtr> ParseConcat();
  absl::StatusOr<ExprPtr> ParseProduct();
  absl::StatusOr<ExprPtr> ParsePower();
  absl::StatusOr<ExprPtr> ParseUnary() { return ParseUnary(true); }
  absl::StatusOr<ExprPtr> ParseUnary(bool with_filters);
  absl::StatusOr<ExprPtr> ParsePrimary();
  absl::StatusOr<ExprPtr> ParseList();
  absl::StatusOr<ExprPtr> ParseDict();
  absl::StatusOr<ExprPtr> ParsePostfix(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseAttribute(ExprPtr object);
  absl::StatusOr<ExprPtr> ParseSubscript(ExprPtr object);
  absl::StatusOr<ExprPtr> ParseCall(ExprPtr callee);
  absl::StatusOr<ExprPtr> ParseFiltersAndTests(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseTest(ExprPtr subject);
  absl::Status ParseArguments(CallArguments& arguments);
  absl::StatusOr<Target> ParseTargetItem(bool with_namespace);
  bool AtTupleEnd() const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int max_depth_;
  size_t stack_bytes_;
  uintptr_t stack_;
  SpecialNames special_names_;
};

}  // namespace weft::jinja
