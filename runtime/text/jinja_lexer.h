// Template text to tokens, with the white-space rules of Jinja 3.1 under trim_blocks and
// lstrip_blocks (as transformers sets them): a newline after a block or comment goes, blanks before
// one that starts a line go, "-" strips all white space on its side, "+" keeps it. One newline at
// the end of the template goes. https://jinja.palletsprojects.com/en/3.1.x/templates/
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weft::jinja {

enum class TokenKind {
  kText,
  kBlockBegin,
  kBlockEnd,
  kVariableBegin,
  kVariableEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // text, name, decoded string, operator
  int64_t integer = 0;
  double number = 0;

  bool IsOperator(absl::string_view op) const { return kind == TokenKind::kOperator && text == op; }
  bool IsName(absl::string_view name) const { return kind == TokenKind::kName && text == name; }
};

// How an error names the token.
std::string Describe(const Token& token);

// The last token is kEnd. Brackets are balanced within each tag.
absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view source);

}  // namespace weft::jinja
