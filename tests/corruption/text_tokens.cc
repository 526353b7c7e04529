#include "tests/corruption/text_tokens.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace weft::corruption {
namespace {

bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

std::vector<std::pair<size_t, std::string>> TokensOf(const std::string& text) {
  std::vector<std::pair<size_t, std::string>> tokens;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (IsWord(text[i]))
      while (end < text.size() && (IsWord(text[end]) || text[end] == '.')) ++end;
    if (text[i] == '"') end = std::min(text.find('"', i + 1), text.size() - 1) + 1;
    if (!absl::ascii_isspace(static_cast<unsigned char>(text[i])))
      tokens.emplace_back(i, text.substr(i, end - i));
    i = end;
  }
  return tokens;
}

std::vector<std::string> WrongTokens() {
  return {"",
          "nonsense",
          "\"text\"",
          "18446744073709551616",
          "99999999999999999999999999",
          "1e999",
          "-",
          "%",
          "%99",
          "%18446744073709551615",
          "[",
          "]",
          "{",
          "}",
          "\xff",
          std::string("\0", 1),
          "\"",
          "nan",
          "f32[",
          std::string(100'000, '['),
          std::string(100'000, '{'),
          std::string(100'000, '('),
          "%-1",
          "@@",
          "..",
          "\\",
          "'"};
}

}  // namespace weft::corruption
