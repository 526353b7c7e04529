// UTF-8 reading and writing on untrusted bytes, and the few character classes that tokenizers need.
// Malformed input is treated as the Unicode standard advises (section 3.9, "U+FFFD Substitution of
// Maximal Subparts"): one U+FFFD for each maximal prefix of a valid sequence, as Rust's
// String::from_utf8_lossy and WHATWG decoders do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace weft {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// Debian's Abseil is built with a string_view of its own, which std::string_view does not convert
// to.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

struct Utf8Char {
  char32_t code;  // U+FFFD if not valid
  size_t size;    // bytes it takes, at least 1
  bool valid;
};

// The character that begins at text[offset]; offset < text.size().
Utf8Char DecodeUtf8(std::string_view text, size_t offset);

// As text.find(pattern, begin), but in linear time, whatever the two are.
size_t FindString(std::string_view text, std::string_view pattern, size_t begin);

// Appends the UTF-8 form of `code`, a Unicode scalar value.
void AppendUtf8(char32_t code, std::string* out);

bool IsValidUtf8(std::string_view text);

// `text` with each malformed part replaced by U+FFFD.
std::string RepairUtf8(std::string_view text);

// How many trailing bytes (0 to 3) begin a character that more bytes could complete.
size_t IncompleteUtf8Suffix(std::string_view text);

bool IsWhitespace(char32_t code);  // property White_Space
bool IsNumeric(char32_t code);     // general category N*
bool IsWordChar(char32_t code);    // regex \w: letters, marks, numbers, connectors, joiners

}  // namespace weft
