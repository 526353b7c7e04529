#include "runtime/text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_number.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

constexpr std::array<absl::string_view, 6> kLongOperators = {"//", "**", "==", "!=", ">=", "<="};
constexpr absl::string_view kShortOperators = "+-/*%~[](){}><=.:|,;";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}

// "\r\n" and "\r" become "\n"; one newline at the very end goes.
std::string NormalizeNewlines(absl::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      WEFT_RETURN_IF_ERROR(LexText());
    }
    Add(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  absl::string_view Rest() const { return absl::string_view(source_).substr(at_); }

  void Advance(size_t bytes) {
    const absl::string_view passed = Rest().substr(0, bytes);
    line_ += int(std::count(passed.begin(), passed.end(), '\n'));
    if (!passed.empty()) line_starting_ = passed.back() == '\n';
    at_ += bytes;
  }

  void SkipSpace() { Advance(Rest().size() - Strip(Rest(), Side::kLeft).size()); }

  Token& Add(TokenKind kind, std::string text = {}) {
    Token& token = tokens_.emplace_back();
    token.kind = kind;
    token.line = line_;
    token.text = std::move(text);
    return token;
  }

  absl::Status Error(absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(AtLine(line_), problem));
  }

  // Text before a tag, after what the tag strips of it. `sign` is the '-' or '+' behind the tag's
  // opening, or 0.
  void AddText(absl::string_view text, char sign, bool lstrip) {
    absl::string_view kept = text;
    if (sign == '-') {
      kept = Strip(text, Side::kRight);
    } else if (sign != '+' && lstrip) {
      const size_t newline = text.rfind('\n');
      const size_t line = newline == absl::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || line_starting_) && Strip(text.substr(line), Side::kLeft).empty()) {
        kept = text.substr(0, line);
      }
    }
    if (!kept.empty()) Add(TokenKind::kText, std::string(kept));
    Advance(text.size());
  }

  static char SignAt(absl::string_view text, size_t i) {
    return i < text.size() && (text[i] == '-' || text[i] == '+') ? text[i] : '\0';
  }

  // Text up to the next tag, and that tag.
  absl::Status LexText() {
    size_t tag = 0;
    const absl::string_view rest = Rest();
    while (true) {
      tag = rest.find('{', tag);
      if (tag == absl::string_view::npos || tag + 1 >= rest.size()) {
        AddText(rest, '+', false);
        return absl::OkStatus();
      }
      const char next = rest[tag + 1];
      if (next == '%' || next == '{' || next == '#') break;
      ++tag;
    }
    const char type = rest[tag + 1];
    const char sign = SignAt(rest, tag + 2);
    AddText(rest.substr(0, tag), sign, type != '{');
    const size_t opening = sign == '\0' ? 2 : 3;
    if (type == '#') {
      Advance(opening);
      return LexComment();
    }
    if (type == '{') {
      Add(TokenKind::kVariableBegin);
      Advance(opening);
      return LexTag(TokenKind::kVariableEnd);
    }
    if (const size_t raw = MatchRawBegin(Rest(), opening); raw != 0) {
      Advance(raw);
      return LexRaw();
    }
    Add(TokenKind::kBlockBegin);
    Advance(opening);
    return LexTag(TokenKind::kBlockEnd);
  }

  // The length of "{% raw %}" at the start of `text`, with its white space, or 0.
  static size_t MatchRawBegin(absl::string_view text, size_t opening) {
    absl::string_view rest = Strip(text.substr(opening), Side::kLeft);
    if (!absl::StartsWith(rest, "raw")) return 0;
    rest = Strip(rest.substr(3), Side::kLeft);
    if (absl::StartsWith(rest, "-%}")) {
      rest = Strip(rest.substr(3), Side::kLeft);
    } else if (absl::StartsWith(rest, "%}")) {
      rest = rest.substr(2);
    } else {
      return 0;
    }
    return text.size() - rest.size();
  }

  absl::Status LexComment() {
    const size_t end = Rest().find("#}");
    if (end == absl::string_view::npos) return Error("a comment '{#' has no '#}'");
    const char sign = end > 0 ? SignAt(Rest(), end - 1) : '\0';
    Advance(end + 2);
    AfterBlock(sign);
    return absl::OkStatus();
  }

  // Behind the end of a block or a comment.
  void AfterBlock(char sign) {
    if (sign == '-') {
      SkipSpace();
    } else if (sign != '+' && absl::StartsWith(Rest(), "\n")) {
      Advance(1);
    }
  }

  absl::Status LexRaw() {
    const absl::string_view rest = Rest();
    for (size_t tag = rest.find("{%"); tag != absl::string_view::npos;
         tag = rest.find("{%", tag + 2)) {
      const char sign = SignAt(rest, tag + 2);
      absl::string_view name = Strip(rest.substr(tag + (sign == '\0' ? 2 : 3)), Side::kLeft);
      if (!absl::StartsWith(name, "endraw")) continue;
      name = Strip(name.substr(6), Side::kLeft);
      const char end_sign = SignAt(name, 0);
      if (end_sign != '\0') name.remove_prefix(1);
      if (!absl::StartsWith(name, "%}")) continue;
      const size_t end = rest.size() - name.size() + 2;
      AddText(rest.substr(0, tag), sign, true);
      Advance(end - tag);
      AfterBlock(end_sign);
      return absl::OkStatus();
    }
    return Error("'{% raw %}' has no '{% endraw %}'");
  }

  // The inside of a tag, through its end.
  absl::Status LexTag(TokenKind end) {
    std::string brackets;
    const absl::string_view closing = end == TokenKind::kBlockEnd ? "%}" : "}}";
    while (true) {
      SkipSpace();
      const absl::string_view rest = Rest();
      if (rest.empty()) return Error(absl::StrCat("a tag has no '", closing, "'"));
      if (brackets.empty()) {
        const bool plus = end == TokenKind::kBlockEnd && rest[0] == '+';
        const char sign = rest[0] == '-' || plus ? rest[0] : '\0';
        const size_t skip = sign == '\0' ? 0 : 1;
        if (rest.substr(skip, 2) == closing) {
          Add(end);
          Advance(skip + 2);
          if (end == TokenKind::kBlockEnd || sign == '-') AfterBlock(sign);
          return absl::OkStatus();
        }
      }
      WEFT_RETURN_IF_ERROR(LexToken(brackets));
    }
  }

  absl::Status LexToken(std::string& brackets) {
    const absl::string_view rest = Rest();
    const char c = rest[0];
    if (IsDigit(c)) return LexNumber();
    if (c == '\'' || c == '"') return LexString();
    if (IsNameByte(c)) {
      size_t size = 0;
      while (size < rest.size() && IsNameByte(rest[size])) ++size;
      Add(TokenKind::kName, std::string(rest.substr(0, size)));
      Advance(size);
      return absl::OkStatus();
    }
    absl::string_view op;
    for (absl::string_view candidate : kLongOperators) {
      if (absl::StartsWith(rest, candidate)) op = candidate;
    }
    if (op.empty() && kShortOperators.find(c) != absl::string_view::npos) op = rest.substr(0, 1);
    if (op.empty()) return Error(absl::StrCat("unexpected character '", rest.substr(0, 1), "'"));
    if (c == '(') brackets += ')';
    if (c == '[') brackets += ']';
    if (c == '{') brackets += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c)
        return Error(absl::StrCat("unexpected '", op, "'"));
      brackets.pop_back();
    }
    Add(TokenKind::kOperator, std::string(op));
    Advance(op.size());
    return absl::OkStatus();
  }

  // The end of a run of decimal digits with single underscores between them.
  static size_t DigitsEnd(absl::string_view text, size_t i) {
    while (i < text.size() &&
           (IsDigit(text[i]) || (text[i] == '_' && i > 0 && IsDigit(text[i - 1]) &&
                                 i + 1 < text.size() && IsDigit(text[i + 1])))) {
      ++i;
    }
    return i;
  }

  absl::Status LexNumber() {
    const absl::string_view rest = Rest();
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    const size_t whole = DigitsEnd(rest, 0);
    size_t end = whole;
    if (!after_dot) {
      auto digit_at = [&](size_t i) { return i < rest.size() && IsDigit(rest[i]); };
      if (end < rest.size() && rest[end] == '.' && digit_at(end + 1))
        end = DigitsEnd(rest, end + 1);
      if (end < rest.size() && (rest[end] | 0x20) == 'e') {
        const size_t digits = end + 1 + (SignAt(rest, end + 1) == '\0' ? 0 : 1);
        if (digit_at(digits)) end = DigitsEnd(rest, digits);
      }
    }
    if (end > whole) {
      Add(TokenKind::kFloat).number = ParseFloat(rest.substr(0, end)).value_or(0);
      Advance(end);
      return absl::OkStatus();
    }
    end = whole;
    if (rest[0] == '0' && whole == 1 && rest.size() > 2) {
      const char base = char(rest[1] | 0x20);
      auto in_base = [&](char d) {
        if (base == 'x') return absl::ascii_isxdigit(static_cast<unsigned char>(d));
        return d >= '0' && d <= (base == 'o' ? '7' : '1');
      };
      if (base == 'x' || base == 'o' || base == 'b') {
        size_t i = 2;
        while (i < rest.size() && (in_base(rest[i]) || (rest[i] == '_' && i + 1 < rest.size() &&
                                                        in_base(rest[i + 1])))) {
          ++i;
        }
        if (i > 2) end = i;
      }
    } else if (rest[0] == '0') {
      // "007" is three integers to Jinja, and thereby a syntax error; only zeros may follow a zero.
      end = std::min(whole, rest.find_first_not_of("0_"));
    }
    int64_t value = 0;
    switch (ParseInt(rest.substr(0, end), 0, value)) {
      case ParseResult::kOk:
        break;
      case ParseResult::kNotANumber:
        return Error(absl::StrCat("'", Shown(rest.substr(0, end)), "' is not a number"));
      case ParseResult::kTooLarge:
        return Error(
            absl::StrCat("the integer ", Shown(rest.substr(0, end)), " does not fit 64 bits"));
    }
    Add(TokenKind::kInteger).integer = value;
    Advance(end);
    return absl::OkStatus();
  }

  absl::Status LexString() {
    const absl::string_view rest = Rest();
    size_t end = 1;
    while (end < rest.size() && rest[end] != rest[0]) end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) return Error("a string has no closing quote");
    WEFT_ASSIGN_OR_RETURN(std::string text, Unescape(rest.substr(1, end - 1)));
    Add(TokenKind::kString, std::move(text));
    Advance(end + 1);
    return absl::OkStatus();
  }

  // Python's escapes; one that it does not know stays as it is.
  absl::StatusOr<std::string> Unescape(absl::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      static constexpr absl::string_view kFrom = "\\'\"abfnrtv";
      static constexpr absl::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t known = kFrom.find(c); known != absl::string_view::npos) {
        out += kTo[known];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        size_t size = 1;
        while (size < 3 && i + size < text.size() && text[i + size] >= '0' && text[i + size] <= '7')
          ++size;
        WEFT_RETURN_IF_ERROR(AppendNumber(text.substr(i, size), 8, out));
        i += size - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t size = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        const absl::string_view digits = text.substr(i + 1, size);
        const bool hex = std::all_of(digits.begin(), digits.end(),
                                     [](unsigned char d) { return absl::ascii_isxdigit(d); });
        if (digits.size() != size || !hex)
          return Error(absl::StrCat("truncated escape '\\", text.substr(i, 1), "'"));
        WEFT_RETURN_IF_ERROR(AppendNumber(digits, 16, out));
        i += size;
      } else if (c == 'N') {
        return Error("the escape '\\N{name}' is not supported; write \\uXXXX");
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  absl::Status AppendNumber(absl::string_view digits, int64_t base, std::string& out) const {
    int64_t value = 0;
    if (ParseInt(digits, base, value) != ParseResult::kOk || value > 0x10FFFF ||
        (value >= 0xD800 && value <= 0xDFFF)) {
      return Error(absl::StrCat("the escape of '", digits, "' is no Unicode character"));
    }
    AppendCodePoint(uint32_t(value), out);
    return absl::OkStatus();
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return "a number";
    case TokenKind::kName:
    case TokenKind::kOperator:
      return absl::StrCat("'", Shown(token.text), "'");
    case TokenKind::kEnd:
      return "the end of the template";
  }
  return "?";
}

absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view source) {
  return Lexer(NormalizeNewlines(source)).Run();
}

}  // namespace weft::jinja
