#include "runtime/text/terminal_text.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

bool IsControl(char32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

std::string Show(absl::string_view shown, size_t most, bool one_line) {
  const std::string_view text(shown.data(), shown.size());
  std::string result;
  size_t at = 0;
  while (at < text.size() && at < most) {
    const Utf8Char c = DecodeUtf8(text, at);
    const std::string_view bytes = text.substr(at, c.size);
    const bool is_blank = !one_line && (c.code == U'\n' || c.code == U'\t');
    if (is_blank || (c.valid && !IsControl(c.code))) {
      result += bytes;
    } else {
      for (const char byte : bytes)
        absl::StrAppend(&result, "\\x", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
    }
    at += c.size;
  }
  if (at < text.size()) result += "…";
  return result;
}

}  // namespace

std::string TerminalText(absl::string_view text, size_t most) {
  return Show(text, most, /*one_line=*/false);
}

std::string TerminalLine(absl::string_view text) {
  return Show(text, absl::string_view::npos, /*one_line=*/true);
}

std::string QuotedText(absl::string_view text) {
  constexpr size_t kMostBytes = 120;
  return absl::StrCat("'", TerminalText(text, kMostBytes), "'");
}

}  // namespace weft
