// The syntax tree of a template.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/text/jinja_value.h"

namespace weft::jinja {

enum class ExprKind {
  kLiteral,      // literal
  kName,         // name
  kList,         // operands: items
  kTuple,        // operands: items
  kDict,         // operands: key, value, key, value, …
  kAttribute,    // operands: object; name
  kSubscript,    // operands: object, key
  kSlice,        // operands: object, start, stop, step; the last three may be null
  kCall,         // operands: callee; arguments
  kFilter,       // operands: input, or null for the text of the block that the filter ends; name,
                 // arguments
  kTest,         // operands: subject; name, arguments
  kNot,          // operands: one
  kNegate,       // operands: one
  kPositive,     // operands: one
  kBinary,       // operands: left, right; binary
  kCompare,      // operands: n + 1 values; comparisons: n
  kConcat,       // operands: parts of a ~ chain
  kAnd,          // operands: left, right
  kOr,           // operands: left, right
  kConditional,  // operands: condition, then, else (null: undefined)
};

enum class BinaryOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class Comparison {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<Value, ExprPtr>> named;
  ExprPtr star;         // *list, or null
  ExprPtr double_star;  // **dict, or null
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  BinaryOp binary = BinaryOp::kAdd;
  int line = 1;
  int depth = 1;  // of this tree
  std::string name;
  Value literal;
  std::vector<ExprPtr> operands;
  std::vector<Comparison> comparisons;
  std::unique_ptr<CallArguments> arguments;
};

// What can be assigned to: a name, an attribute of a namespace, a tuple of targets.
struct Target {
  std::string name;
  Value attribute;            // a text; undefined: the name itself
  std::vector<Target> items;  // not empty: a tuple; name and attribute are not used
  bool is_tuple = false;
};

struct Statement;
using Block = std::vector<Statement>;

struct TextStatement {
  std::string text;
};
struct OutputStatement {
  ExprPtr expr;
};
struct IfStatement {
  struct Branch {
    ExprPtr condition;  // null: else
    Block body;
  };
  std::vector<Branch> branches;
};
struct ForStatement {
  Target target;
  ExprPtr iterable;
  ExprPtr filter;  // null: none
  Block body;
  Block otherwise;
};
struct SetStatement {
  Target target;
  ExprPtr expr;
};
struct SetBlockStatement {
  Target target;
  ExprPtr filter;  // null: none
  Block body;
};
// A macro, or the body of a call block, which is an unnamed macro.
struct MacroDefinition {
  struct Parameter {
    std::string name;
    ExprPtr default_value;  // null: none
  };
  Value name;  // a text
  std::vector<Parameter> parameters;
  // Names that the body uses; a macro takes further arguments only if it can read them.
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
  Block body;
};
struct MacroStatement {
  std::unique_ptr<MacroDefinition> macro;
};
struct CallStatement {
  std::unique_ptr<MacroDefinition> caller;
  ExprPtr call;  // kCall
};
struct FilterStatement {
  ExprPtr filter;
  Block body;
};
struct WithStatement {
  std::vector<std::pair<Target, ExprPtr>> assignments;
  Block body;
};
// {% generation %}, which in transformers marks the assistant's text for training: a block with its
// own scope.
struct ScopeStatement {
  Block body;
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  int line = 1;
  std::variant<TextStatement, OutputStatement, IfStatement, ForStatement, SetStatement,
               SetBlockStatement, MacroStatement, CallStatement, FilterStatement, WithStatement,
               ScopeStatement, BreakStatement, ContinueStatement>
      node;
};

}  // namespace weft::jinja
