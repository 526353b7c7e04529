#include "runtime/base/printable.h"

#include <absl/strings/str_cat.h>

#include <cstdint>

namespace weft {
namespace {

// Bytes of the character at the start; 0 where these are no UTF-8 or a control character. Overlong
// forms and surrogates, which terminals show as they like, count as characters.
size_t ShownBytes(absl::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return first >= 0x20 && first != 0x7f;
  const size_t size = first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc0 || size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  return first == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0 ? 0 : size;
}

std::string Show(absl::string_view text, size_t most, bool one_line) {
  std::string result;
  const size_t end = text.size() > most ? most : text.size();
  for (size_t at = 0; at < end;) {
    const bool is_blank = !one_line && (text[at] == '\n' || text[at] == '\t');
    const size_t size = is_blank ? 1 : ShownBytes(text.substr(at));
    if (size > 0) {
      result.append(text.data() + at, size);
    } else {
      absl::StrAppend(&result, "\\x", absl::Hex(static_cast<uint8_t>(text[at]), absl::kZeroPad2));
    }
    at += size > 0 ? size : 1;
  }
  if (end < text.size()) result += "…";
  return result;
}

}  // namespace

std::string Printable(absl::string_view text, size_t most) {
  return Show(text, most, /*one_line=*/false);
}

std::string PrintableLine(absl::string_view text) {
  return Show(text, absl::string_view::npos, /*one_line=*/true);
}

}  // namespace weft
