#include "runtime/text/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace weft {
namespace {

// What the lead byte promises: length and the range of the second byte (Unicode 15.0, table 3-7).
// Length 0: no lead byte.
struct LeadByte {
  size_t size;
  uint8_t second_min;
  uint8_t second_max;
};

LeadByte ClassifyLead(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Bytes from `offset` that belong to the well-formed prefix of one sequence; 0 if the lead byte
// itself is wrong.
size_t WellFormedPrefix(std::string_view text, size_t offset, const LeadByte& lead) {
  if (lead.size == 0) return 0;
  const size_t available = std::min(lead.size, text.size() - offset);
  for (size_t i = 1; i < available; ++i) {
    const auto byte = static_cast<uint8_t>(text[offset + i]);
    const uint8_t low = i == 1 ? lead.second_min : 0x80;
    const uint8_t high = i == 1 ? lead.second_max : 0xBF;
    if (byte < low || byte > high) return i;
  }
  return available;
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text, size_t offset) {
  const auto first = static_cast<uint8_t>(text[offset]);
  if (first < 0x80) return {first, 1, true};
  const LeadByte lead = ClassifyLead(first);
  const size_t prefix = WellFormedPrefix(text, offset, lead);
  if (prefix == 0 || prefix < lead.size) return {0xFFFD, std::max<size_t>(prefix, 1), false};
  char32_t code = first & (0x7FU >> lead.size);
  for (size_t i = 1; i < lead.size; ++i) {
    code = (code << 6) | (static_cast<uint8_t>(text[offset + i]) & 0x3FU);
  }
  return {code, lead.size, true};
}

size_t FindString(std::string_view text, std::string_view pattern, size_t begin) {
  // glibc goes two ways (Crochemore and Perrin) through what is longer than 256 bytes.
  const void* const found =
      memmem(text.data() + begin, text.size() - begin, pattern.data(), pattern.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

void AppendUtf8(char32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (code >> 6)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (code >> 12)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | (code >> 18)));
    out->push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

bool IsValidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (!c.valid) return false;
    i += c.size;
  }
  return true;
}

std::string RepairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    out.append(c.valid ? text.substr(i, c.size) : kReplacementCharacter);
    i += c.size;
  }
  return out;
}

size_t IncompleteUtf8Suffix(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const size_t offset = text.size() - back;
    const auto byte = static_cast<uint8_t>(text[offset]);
    if ((byte & 0xC0) == 0x80) continue;
    const LeadByte lead = ClassifyLead(byte);
    return lead.size > back && WellFormedPrefix(text, offset, lead) == back ? back : 0;
  }
  return 0;
}

bool IsWhitespace(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  switch (code) {
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
      return true;
    default:
      return code >= 0x2000 && code <= 0x200A;
  }
}

bool IsNumeric(char32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9';
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_NO;
}

bool IsWordChar(char32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      // Circled letters are Alphabetic though their category is So; U+200C/D are Join_Control.
      return (code >= 0x24B6 && code <= 0x24E9) || code == 0x200C || code == 0x200D;
  }
}

}  // namespace weft
