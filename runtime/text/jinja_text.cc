#include "runtime/text/jinja_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"

namespace weft::jinja {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The code point that ends at byte `end` > 0.
CodePoint DecodeBefore(absl::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && end - start < 4 && IsContinuation(text[start])) --start;
  CodePoint c = DecodeAt(text, start);
  if (start + c.bytes == end) return c;
  return {static_cast<unsigned char>(text[end - 1]), 1, false};
}

template <typename Map>
std::string MapCodePoints(absl::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    CodePoint c = DecodeAt(text, i);
    if (c.valid) {
      AppendCodePoint(map(c.value), out);
    } else {
      out += text[i];
    }
    i += c.bytes;
  }
  return out;
}

uint32_t Upper(uint32_t c) { return uint32_t(utf8proc_toupper(utf8proc_int32_t(c))); }
uint32_t Lower(uint32_t c) { return uint32_t(utf8proc_tolower(utf8proc_int32_t(c))); }
uint32_t TitleCase(uint32_t c) { return uint32_t(utf8proc_totitle(utf8proc_int32_t(c))); }

// What str.splitlines ends a line at, beside "\r\n".
bool IsLineEnd(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool Contains(absl::string_view chars, absl::string_view code_point) {
  for (size_t i = 0; i < chars.size();) {
    const size_t bytes = DecodeAt(chars, i).bytes;
    if (chars.substr(i, bytes) == code_point) return true;
    i += bytes;
  }
  return false;
}

}  // namespace

CodePoint DecodeAt(absl::string_view text, size_t position) {
  if ((text[position] & 0x80) == 0) return {uint32_t(text[position]), 1, true};
  const CodePoint invalid = {static_cast<unsigned char>(text[position]), 1, false};
  utf8proc_int32_t value = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + position;
  const size_t rest = std::min<size_t>(text.size() - position, 4);
  const utf8proc_ssize_t size = utf8proc_iterate(bytes, utf8proc_ssize_t(rest), &value);
  if (size <= 0 || value < 0) return invalid;
  return {uint32_t(value), size_t(size), true};
}

void AppendCodePoint(uint32_t code_point, std::string& out) {
  if (code_point < 0x80) {
    out += char(code_point);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t size = utf8proc_encode_char(utf8proc_int32_t(code_point), bytes);
  out.append(reinterpret_cast<const char*>(bytes), size_t(size));
}

size_t CountCodePoints(absl::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); i += DecodeAt(text, i).bytes) ++count;
  return count;
}

size_t ByteOffset(absl::string_view text, size_t index) {
  size_t i = 0;
  for (; index > 0 && i < text.size(); --index) i += DecodeAt(text, i).bytes;
  return i;
}

std::vector<absl::string_view> SplitCodePoints(absl::string_view text) {
  std::vector<absl::string_view> out;
  out.reserve(CountCodePoints(text));
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = DecodeAt(text, i).bytes;
    out.push_back(text.substr(i, bytes));
    i += bytes;
  }
  return out;
}

bool IsSpace(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool IsDigits(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    CodePoint c = DecodeAt(text, i);
    if (!c.valid || utf8proc_category(utf8proc_int32_t(c.value)) != UTF8PROC_CATEGORY_ND)
      return false;
    i += c.bytes;
  }
  return !text.empty();
}

absl::string_view Strip(absl::string_view text, Side side, std::optional<absl::string_view> chars) {
  auto strips = [&](const CodePoint& c, size_t at) {
    return chars.has_value() ? Contains(*chars, text.substr(at, c.bytes))
                             : c.valid && IsSpace(c.value);
  };
  while (side != Side::kRight && !text.empty()) {
    const CodePoint c = DecodeAt(text, 0);
    if (!strips(c, 0)) break;
    text.remove_prefix(c.bytes);
  }
  while (side != Side::kLeft && !text.empty()) {
    const CodePoint c = DecodeBefore(text, text.size());
    if (!strips(c, text.size() - c.bytes)) break;
    text.remove_suffix(c.bytes);
  }
  return text;
}

std::string ToUpper(absl::string_view text) { return MapCodePoints(text, Upper); }

std::string ToLower(absl::string_view text) { return MapCodePoints(text, Lower); }

bool HasCase(absl::string_view text, bool upper) {
  bool any = false;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = DecodeAt(text, i);
    i += c.bytes;
    if (!c.valid) continue;
    if ((upper ? Upper(c.value) : Lower(c.value)) != c.value) return false;
    any = any || (upper ? Lower(c.value) : Upper(c.value)) != c.value;
  }
  return any;
}

std::string Capitalize(absl::string_view text) {
  bool first = true;
  return MapCodePoints(text, [&](uint32_t c) {
    const uint32_t mapped = first ? TitleCase(c) : Lower(c);
    first = false;
    return mapped;
  });
}

std::string Title(absl::string_view text) {
  bool in_word = false;
  return MapCodePoints(text, [&](uint32_t c) {
    const uint32_t mapped = in_word ? Lower(c) : TitleCase(c);
    in_word = Lower(c) != c || Upper(c) != c;
    return mapped;
  });
}

std::string TitleWords(absl::string_view text) {
  bool in_word = false;
  return MapCodePoints(text, [&](uint32_t c) {
    const uint32_t mapped = in_word ? Lower(c) : Upper(c);
    in_word = !(IsSpace(c) || (c < 0x80 && std::strchr("-({[<", int(c)) != nullptr));
    return mapped;
  });
}

size_t Find(absl::string_view text, absl::string_view needle, size_t from) {
  if (from > text.size()) return absl::string_view::npos;
  if (needle.empty()) return from;
  // memmem is linear; string_view::find is quadratic for text like "aaaa" and a needle like "aab".
  const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (found == nullptr) return absl::string_view::npos;
  return size_t(static_cast<const char*>(found) - text.data());
}

size_t FindLast(absl::string_view text, absl::string_view needle) {
  if (needle.size() > text.size()) return absl::string_view::npos;
  const std::string reversed_text(text.rbegin(), text.rend());
  const std::string reversed_needle(needle.rbegin(), needle.rend());
  const size_t found = Find(reversed_text, reversed_needle);
  return found == std::string::npos ? found : text.size() - found - needle.size();
}

size_t CountOccurrences(absl::string_view text, absl::string_view needle) {
  if (needle.empty()) return CountCodePoints(text) + 1;
  size_t count = 0;
  for (size_t at = Find(text, needle); at != absl::string_view::npos;
       at = Find(text, needle, at + needle.size())) {
    ++count;
  }
  return count;
}

std::string Replace(absl::string_view text, absl::string_view from, absl::string_view to,
                    int64_t count) {
  std::string out;
  size_t done = 0;
  while (count != 0) {
    if (from.empty()) {
      absl::StrAppend(&out, to);
      if (done == text.size()) break;
      const size_t bytes = DecodeAt(text, done).bytes;
      absl::StrAppend(&out, text.substr(done, bytes));
      done += bytes;
    } else {
      const size_t at = Find(text, from, done);
      if (at == absl::string_view::npos) break;
      absl::StrAppend(&out, text.substr(done, at - done));
      absl::StrAppend(&out, to);
      done = at + from.size();
    }
    if (count > 0) --count;
  }
  absl::StrAppend(&out, text.substr(done));
  return out;
}

absl::Status SplitSpace(absl::string_view text, int64_t limit, bool from_right, Pieces piece) {
  const Side side = from_right ? Side::kRight : Side::kLeft;
  for (text = Strip(text, side); !text.empty(); text = Strip(text, side)) {
    if (limit == 0) return piece(text);
    if (limit > 0) --limit;
    size_t word = 0;
    while (word < text.size()) {
      const CodePoint c =
          from_right ? DecodeBefore(text, text.size() - word) : DecodeAt(text, word);
      if (c.valid && IsSpace(c.value)) break;
      word += c.bytes;
    }
    WEFT_RETURN_IF_ERROR(
        piece(from_right ? text.substr(text.size() - word) : text.substr(0, word)));
    from_right ? text.remove_suffix(word) : text.remove_prefix(word);
  }
  return absl::OkStatus();
}

absl::Status SplitOn(absl::string_view text, absl::string_view separator, int64_t limit,
                     bool from_right, Pieces piece) {
  if (separator.size() > text.size()) return piece(text);
  if (from_right) {
    const std::string mirrored(text.rbegin(), text.rend());
    const std::string mirrored_separator(separator.rbegin(), separator.rend());
    return SplitOn(mirrored, mirrored_separator, limit, false, [&](absl::string_view found) {
      const size_t begin = text.size() - size_t(found.data() - mirrored.data()) - found.size();
      return piece(text.substr(begin, found.size()));
    });
  }
  size_t done = 0;
  for (; limit != 0; limit -= limit > 0 ? 1 : 0) {
    const size_t at = Find(text, separator, done);
    if (at == absl::string_view::npos) break;
    WEFT_RETURN_IF_ERROR(piece(text.substr(done, at - done)));
    done = at + separator.size();
  }
  return piece(text.substr(done));
}

absl::Status SplitLines(absl::string_view text, bool keep_ends, Pieces piece) {
  size_t start = 0;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = DecodeAt(text, i);
    if (!c.valid || !IsLineEnd(c.value)) {
      i += c.bytes;
      continue;
    }
    size_t end = i + c.bytes;
    if (c.value == '\r' && end < text.size() && text[end] == '\n') ++end;
    WEFT_RETURN_IF_ERROR(piece(text.substr(start, (keep_ends ? end : i) - start)));
    start = i = end;
  }
  return start < text.size() ? piece(text.substr(start)) : absl::OkStatus();
}

}  // namespace weft::jinja
