// Python's numbers as text, and its rounding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace weft::jinja {

// repr(float): the shortest digits that read back as the same number.
std::string FloatRepr(double value);

enum class ParseResult { kOk, kNotANumber, kTooLarge };
// int(text, base): white space around, a sign, single underscores between digits, 0x/0o/0b as the
// base allows; base 0 takes the base from the prefix. kTooLarge for what does not fit int64.
ParseResult ParseInt(absl::string_view text, int64_t base, int64_t& value);
// float(text), with "inf" and "nan".
std::optional<double> ParseFloat(absl::string_view text);

// round(value, digits): the decimal nearest to the exact binary value, half to even. 0 <= digits <=
// 300.
double RoundTo(double value, int digits);

}  // namespace weft::jinja
