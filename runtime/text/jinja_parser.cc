#include "runtime/text/jinja_parser.h"

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_expression_parser.h"
#include "runtime/text/jinja_lexer.h"

namespace weft::jinja {
namespace {

class Parser {
 public:
  Parser(std::vector<Token> tokens, const Limits& limits) : in_(std::move(tokens), limits) {}

  absl::StatusOr<Block> Run() { return ParseBlock({}); }

 private:
  using Node = decltype(Statement::node);

  // Statements up to a tag with one of these names, which stays; up to the end of the template if
  // there are none.
  absl::StatusOr<Block> ParseBlock(std::initializer_list<absl::string_view> ends) {
    ExpressionParser::Level level(in_);
    WEFT_RETURN_IF_ERROR(level.Check());
    Block block;
    while (in_.current().kind != TokenKind::kEnd) {
      const int line = in_.current().line;
      if (in_.current().kind == TokenKind::kText) {
        block.push_back({line, TextStatement{in_.Next().text}});
      } else if (in_.current().kind == TokenKind::kVariableBegin) {
        in_.Next();
        WEFT_ASSIGN_OR_RETURN(ExprPtr expr, in_.ParseTuple(true));
        WEFT_RETURN_IF_ERROR(in_.Expect(TokenKind::kVariableEnd, "'}}'"));
        block.push_back({line, OutputStatement{std::move(expr)}});
      } else {
        WEFT_RETURN_IF_ERROR(in_.Expect(TokenKind::kBlockBegin, "a tag"));
        for (absl::string_view end : ends) {
          if (in_.current().IsName(end)) return block;
        }
        WEFT_ASSIGN_OR_RETURN(Node node, ParseStatement());
        WEFT_RETURN_IF_ERROR(in_.Expect(TokenKind::kBlockEnd, "'%}'"));
        block.push_back({line, std::move(node)});
      }
    }
    if (ends.size() == 0) return block;
    return in_.Error(
        absl::StrCat("the template ends where '", absl::StrJoin(ends, "' or '"), "' is missing"));
  }

  // The body of a statement, from the end of its opening tag to the name in the tag that ends it,
  // inclusive.
  absl::StatusOr<Block> ParseBody(std::initializer_list<absl::string_view> ends,
                                  std::string* end = nullptr) {
    in_.SkipOperator(":");  // Jinja allows Python's colon
    WEFT_RETURN_IF_ERROR(in_.Expect(TokenKind::kBlockEnd, "'%}'"));
    WEFT_ASSIGN_OR_RETURN(Block body, ParseBlock(ends));
    Token token = in_.Next();
    if (end != nullptr) *end = std::move(token.text);
    return body;
  }

  absl::StatusOr<Node> ParseStatement() {
    static constexpr std::pair<absl::string_view, absl::StatusOr<Node> (Parser::*)()>
        kStatements[] = {
            {"if", &Parser::ParseIf},       {"for", &Parser::ParseFor},
            {"set", &Parser::ParseSet},     {"macro", &Parser::ParseMacro},
            {"call", &Parser::ParseCall},   {"filter", &Parser::ParseFilter},
            {"with", &Parser::ParseWith},   {"generation", &Parser::ParseGeneration},
            {"break", &Parser::ParseBreak}, {"continue", &Parser::ParseContinue},
        };
    const Token& token = in_.current();
    for (const auto& [name, parse] : kStatements) {
      if (!token.IsName(name)) continue;
      in_.Next();
      return (this->*parse)();
    }
    return in_.Error(absl::StrCat("the tag ", Describe(token), " is not supported here"));
  }

  absl::StatusOr<Node> ParseIf() {
    IfStatement statement;
    std::string end = "elif";
    while (end != "endif") {
      IfStatement::Branch branch;
      const bool has_condition = end == "elif";
      if (has_condition) {
        WEFT_ASSIGN_OR_RETURN(branch.condition, in_.ParseTuple(false));
        WEFT_ASSIGN_OR_RETURN(branch.body, ParseBody({"elif", "else", "endif"}, &end));
      } else {
        WEFT_ASSIGN_OR_RETURN(branch.body, ParseBody({"endif"}, &end));
      }
      statement.branches.push_back(std::move(branch));
    }
    return statement;
  }

  absl::StatusOr<Node> ParseFor() {
    ForStatement statement;
    WEFT_ASSIGN_OR_RETURN(statement.target, in_.ParseTarget(false));
    if (!in_.SkipName("in")) {
      return in_.Error(absl::StrCat("expected 'in', got ", Describe(in_.current())));
    }
    WEFT_ASSIGN_OR_RETURN(statement.iterable, in_.ParseTuple(false));
    if (in_.SkipName("if")) {
      WEFT_ASSIGN_OR_RETURN(statement.filter, in_.ParseExpression());
    }
    if (in_.current().IsName("recursive")) return in_.Error("recursive loops are not supported");
    std::string end;
    ++loops_;
    WEFT_ASSIGN_OR_RETURN(statement.body, ParseBody({"endfor", "else"}, &end));
    --loops_;
    if (end == "else") {
      WEFT_ASSIGN_OR_RETURN(statement.otherwise, ParseBody({"endfor"}));
    }
    return statement;
  }

  absl::StatusOr<Node> ParseSet() {
    WEFT_ASSIGN_OR_RETURN(Target target, in_.ParseTarget(true));
    if (in_.SkipOperator("=")) {
      WEFT_ASSIGN_OR_RETURN(ExprPtr expr, in_.ParseTuple(true));
      return SetStatement{std::move(target), std::move(expr)};
    }
    SetBlockStatement statement;
    statement.target = std::move(target);
    WEFT_ASSIGN_OR_RETURN(statement.filter, in_.ParseFilters(nullptr, false));
    WEFT_ASSIGN_OR_RETURN(statement.body, ParseBody({"endset"}));
    return statement;
  }

  absl::Status ParseParameters(MacroDefinition& macro) {
    WEFT_RETURN_IF_ERROR(in_.ExpectOperator("("));
    while (!in_.current().IsOperator(")")) {
      if (!macro.parameters.empty()) {
        WEFT_RETURN_IF_ERROR(in_.ExpectOperator(","));
      }
      MacroDefinition::Parameter parameter;
      WEFT_ASSIGN_OR_RETURN(parameter.name, in_.ExpectName("a parameter's name"));
      if (in_.SkipOperator("=")) {
        WEFT_ASSIGN_OR_RETURN(parameter.default_value, in_.ParseExpression());
      } else if (!macro.parameters.empty() && macro.parameters.back().default_value != nullptr) {
        return in_.Error(absl::StrCat("parameter '", Shown(parameter.name),
                                      "' needs a default, as the one before it has one"));
      }
      macro.parameters.push_back(std::move(parameter));
    }
    return in_.ExpectOperator(")");
  }

  // The body becomes a function: loops around it end there, and it takes what its text refers to.
  absl::Status ParseMacroBody(MacroDefinition& macro, absl::string_view end) {
    const int loops = std::exchange(loops_, 0);
    const ExpressionParser::SpecialNames outer = std::exchange(in_.special_names(), {});
    WEFT_ASSIGN_OR_RETURN(macro.body, ParseBody({end}));
    ExpressionParser::SpecialNames& used = in_.special_names();
    macro.uses_varargs = used.varargs;
    macro.uses_kwargs = used.kwargs;
    macro.uses_caller = used.caller;
    used.varargs |= outer.varargs;
    used.kwargs |= outer.kwargs;
    used.caller |= outer.caller;
    loops_ = loops;
    return absl::OkStatus();
  }

  absl::StatusOr<Node> ParseMacro() {
    auto macro = std::make_unique<MacroDefinition>();
    WEFT_ASSIGN_OR_RETURN(std::string name, in_.ExpectName("a macro's name"));
    macro->name = Value::MakeString(std::move(name));
    WEFT_RETURN_IF_ERROR(ParseParameters(*macro));
    WEFT_RETURN_IF_ERROR(ParseMacroBody(*macro, "endmacro"));
    return MacroStatement{std::move(macro)};
  }

  absl::StatusOr<Node> ParseCall() {
    CallStatement statement;
    statement.caller = std::make_unique<MacroDefinition>();
    statement.caller->name = Value::MakeString("caller");
    if (in_.current().IsOperator("(")) {
      WEFT_RETURN_IF_ERROR(ParseParameters(*statement.caller));
    }
    WEFT_ASSIGN_OR_RETURN(statement.call, in_.ParseExpression());
    if (statement.call->kind != ExprKind::kCall) return in_.Error("'call' needs a call of a macro");
    WEFT_RETURN_IF_ERROR(ParseMacroBody(*statement.caller, "endcall"));
    return statement;
  }

  absl::StatusOr<Node> ParseFilter() {
    FilterStatement statement;
    WEFT_ASSIGN_OR_RETURN(statement.filter, in_.ParseFilters(nullptr, true));
    WEFT_ASSIGN_OR_RETURN(statement.body, ParseBody({"endfilter"}));
    return statement;
  }

  absl::StatusOr<Node> ParseWith() {
    WithStatement statement;
    while (in_.current().kind != TokenKind::kBlockEnd) {
      if (!statement.assignments.empty()) {
        WEFT_RETURN_IF_ERROR(in_.ExpectOperator(","));
      }
      WEFT_ASSIGN_OR_RETURN(Target target, in_.ParseTarget(false));
      WEFT_RETURN_IF_ERROR(in_.ExpectOperator("="));
      WEFT_ASSIGN_OR_RETURN(ExprPtr expr, in_.ParseExpression());
      statement.assignments.emplace_back(std::move(target), std::move(expr));
    }
    WEFT_ASSIGN_OR_RETURN(statement.body, ParseBody({"endwith"}));
    return statement;
  }

  absl::StatusOr<Node> ParseGeneration() {
    ScopeStatement statement;
    const int loops = std::exchange(loops_, 0);  // a function to transformers, as a macro's body
    WEFT_ASSIGN_OR_RETURN(statement.body, ParseBody({"endgeneration"}));
    loops_ = loops;
    return statement;
  }

  absl::StatusOr<Node> ParseBreak() {
    if (loops_ == 0) return in_.Error("'break' outside of a loop");
    return BreakStatement();
  }

  absl::StatusOr<Node> ParseContinue() {
    if (loops_ == 0) return in_.Error("'continue' outside of a loop");
    return ContinueStatement();
  }

  ExpressionParser in_;
  int loops_ = 0;
};

}  // namespace

absl::StatusOr<Block> ParseTemplate(absl::string_view source, const Limits& limits) {
  if (source.size() > limits.template_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the template has ", source.size(),
                                                     " bytes; at most ", limits.template_bytes,
                                                     " are accepted"));
  }
  WEFT_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens), limits).Run();
}

}  // namespace weft::jinja
