// Python's str operations on UTF-8. Positions and lengths count code points where said so. Any
// bytes are accepted: a byte that starts no valid sequence counts as one code point and is passed
// through.
//
// Case mapping is Unicode's simple one (one code point to one): "ß" stays "ß" in upper case, where
// Python writes "SS".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace weft::jinja {

struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 0;
  bool valid = false;
};
// Needs position < text.size().
CodePoint DecodeAt(absl::string_view text, size_t position);
void AppendCodePoint(uint32_t code_point, std::string& out);

size_t CountCodePoints(absl::string_view text);
// The byte where code point number `index` starts; text.size() past the end.
size_t ByteOffset(absl::string_view text, size_t index);
std::vector<absl::string_view> SplitCodePoints(absl::string_view text);

// str.isspace of one code point.
bool IsSpace(uint32_t code_point);
// The whole text is digits (Unicode Nd), and not empty.
bool IsDigits(absl::string_view text);

enum class Side { kLeft, kRight, kBoth };
// str.strip and its sisters; without `chars`, white space.
absl::string_view Strip(absl::string_view text, Side side,
                        std::optional<absl::string_view> chars = std::nullopt);

// str.isupper, str.islower: in that case, with something that has a case.
bool HasCase(absl::string_view text, bool upper);
std::string ToUpper(absl::string_view text);
std::string ToLower(absl::string_view text);
std::string Capitalize(absl::string_view text);
// str.title: a letter after anything that has no case becomes title case, the others lower case.
std::string Title(absl::string_view text);
// Jinja's title filter: a word starts after white space or one of -({[<.
std::string TitleWords(absl::string_view text);

// Byte position at or after `from`, or npos. Linear in the text for any needle.
size_t Find(absl::string_view text, absl::string_view needle, size_t from = 0);
size_t FindLast(absl::string_view text, absl::string_view needle);
// Occurrences that do not overlap; an empty needle occurs between all code points and at both ends.
size_t CountOccurrences(absl::string_view text, absl::string_view needle);
// str.replace; a negative count means all.
std::string Replace(absl::string_view text, absl::string_view from, absl::string_view to,
                    int64_t count);

// Given each piece of a text, which may be as many as it has bytes; an error ends the cutting.
using Pieces = absl::FunctionRef<absl::Status(absl::string_view piece)>;
// str.split() on white space, str.split(separator), with `from_right` the last piece first; a
// negative limit means none. `separator` is not empty.
absl::Status SplitSpace(absl::string_view text, int64_t limit, bool from_right, Pieces piece);
absl::Status SplitOn(absl::string_view text, absl::string_view separator, int64_t limit,
                     bool from_right, Pieces piece);
// str.splitlines()
absl::Status SplitLines(absl::string_view text, bool keep_ends, Pieces piece);

}  // namespace weft::jinja
