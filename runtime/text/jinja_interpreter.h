// Executes a syntax tree: one Interpreter per rendering.
//
// Names resolve lexically. A new scope comes with each turn of a loop, each call of a macro, and
// with `with`, `filter`, `call`, `generation` and block `set`; `if` has none. What a scope sets is
// gone at its end, which is why templates carry state out of loops in namespaces.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/hash_map.h"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

struct Scope {
  Scope* parent = nullptr;
  // The keys are of the tree, of the globals, or literals.
  HashMap<absl::string_view, Value> names;
  bool captured = false;  // something refers to it that may outlive its block
};

class Interpreter {
 public:
  // Both outlive the interpreter; so does any tree given to Run.
  explicit Interpreter(Context& context) : context_(context) {}

  // `globals` is a dict with string keys, which outlives the interpreter. May be called once.
  absl::StatusOr<std::string> Run(const Block& block, const Value& globals);

  // For the objects of the interpreter's own kinds.
  absl::StatusOr<Value> CallMacro(const MacroDefinition& macro, Scope& definition_scope,
                                  const Arguments& arguments);
  // Whether the item passes the `if` of a loop, with the loop's names bound to it.
  absl::StatusOr<bool> PassesFilter(const ForStatement& loop, Scope& outer, const Value& item);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  // A scope that is current as long as this lives.
  class Nested;

  // Statements: jinja_interpreter.cc
  absl::StatusOr<Flow> RunBlock(const Block& block, std::string& out);
  absl::StatusOr<Flow> RunStatement(const Statement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const TextStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const OutputStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const IfStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const ForStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const SetStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const SetBlockStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const MacroStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const CallStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const FilterStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const WithStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const ScopeStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const BreakStatement& statement, std::string& out);
  absl::StatusOr<Flow> Run(const ContinueStatement& statement, std::string& out);
  absl::Status Assign(const Target& target, const Value& value);
  // Sets a name, which outlives the interpreter, in the current scope.
  absl::Status Define(absl::string_view name, Value value);
  // Keeps the current scope, and those around it, until the rendering ends.
  absl::Status CaptureScope();
  absl::StatusOr<Value> NewMacro(const MacroDefinition& macro);
  absl::Status BindParameters(const MacroDefinition& macro, const Arguments& arguments);

  // Expressions: jinja_evaluator.cc
  absl::StatusOr<Value> Evaluate(const Expr& expr);
  absl::StatusOr<Value> Resolve(absl::string_view name);
  absl::StatusOr<Value> EvaluateList(const Expr& expr);
  absl::StatusOr<Value> EvaluateDict(const Expr& expr);
  absl::StatusOr<Value> EvaluateAccess(const Expr& expr);
  absl::StatusOr<Value> EvaluateSlice(const Expr& expr);
  // `added`, if not null, comes as a named argument `caller`.
  absl::StatusOr<Value> EvaluateCall(const Expr& expr, const Value* added = nullptr);
  absl::StatusOr<Value> CallValue(const Value& function, const CallArguments& given,
                                  const Value* added);
  absl::StatusOr<Value> EvaluateTest(const Expr& expr);
  absl::StatusOr<Value> EvaluateUnary(const Expr& expr);
  absl::StatusOr<Value> EvaluateBinary(const Expr& expr);
  absl::StatusOr<Value> EvaluateCompare(const Expr& expr);
  absl::StatusOr<Value> EvaluateConcat(const Expr& expr);
  absl::StatusOr<Value> EvaluateLogic(const Expr& expr);
  absl::StatusOr<Value> EvaluateConditional(const Expr& expr);
  absl::StatusOr<Arguments> EvaluateArguments(const CallArguments& arguments);
  // A chain of filters whose innermost input is `text` if the chain starts with none of its own.
  absl::StatusOr<Value> EvaluateFilter(const Expr& expr, const Value* text);

  Context& context_;
  Scope globals_;
  Scope root_;
  Scope* scope_ = &root_;
  std::vector<std::unique_ptr<Scope>> captured_;
};

}  // namespace weft::jinja
