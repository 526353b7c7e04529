#include "runtime/text/jinja_number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

int BaseOfPrefix(absl::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1] | 0x20) {
    case 'x':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
  }
  return 0;
}

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer;  // 17 digits, sign, point and exponent take 24
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  absl::string_view text(buffer.data(), size_t(end - buffer.data()));
  std::string out;
  if (text[0] == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) absl::StrAppend(&digits, text.substr(2, e - 2));
  int exponent = 0;
  const absl::string_view sign_and_digits = text.substr(e + 1);
  std::from_chars(sign_and_digits.data() + 1, text.data() + text.size(), exponent);
  if (sign_and_digits[0] == '-') exponent = -exponent;
  // Python switches to an exponent below 1e-4 and from 1e16 on.
  if (exponent < -4 || exponent >= 16) {
    absl::StrAppend(&out, digits.substr(0, 1));
    if (digits.size() > 1) absl::StrAppend(&out, ".", digits.substr(1));
    const int magnitude = std::abs(exponent);
    absl::StrAppend(&out, exponent < 0 ? "e-" : "e+", magnitude < 10 ? "0" : "", magnitude);
    return out;
  }
  if (exponent < 0) {
    absl::StrAppend(&out, "0.", std::string(size_t(-exponent - 1), '0'), digits);
    return out;
  }
  const size_t whole = size_t(exponent) + 1;
  if (digits.size() <= whole) {
    absl::StrAppend(&out, digits, std::string(whole - digits.size(), '0'), ".0");
  } else {
    absl::StrAppend(&out, digits.substr(0, whole), ".", digits.substr(whole));
  }
  return out;
}

ParseResult ParseInt(absl::string_view text, int64_t base, int64_t& value) {
  text = Strip(text, Side::kBoth);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (base != 0 && (base < 2 || base > 36)) return ParseResult::kNotANumber;
  bool after_prefix = false;
  const int prefix = BaseOfPrefix(text);
  const bool zero_only_if_zero = base == 0 && prefix == 0;
  if (prefix != 0 && (base == 0 || base == prefix)) {
    base = prefix;
    text.remove_prefix(2);
    after_prefix = true;
  } else if (base == 0) {
    base = 10;
  }
  if (text.empty()) return ParseResult::kNotANumber;
  if (zero_only_if_zero && text[0] == '0' &&
      text.find_first_not_of("0_") != absl::string_view::npos) {
    return ParseResult::kNotANumber;
  }
  // Negative all along, because int64 has one more negative number.
  int64_t result = 0;
  bool too_large = false;
  bool digit_before = after_prefix;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      if (!digit_before || i + 1 == text.size()) return ParseResult::kNotANumber;
      digit_before = false;
      continue;
    }
    const int digit = DigitValue(text[i]);
    if (digit >= base) return ParseResult::kNotANumber;
    digit_before = true;
    too_large = too_large || __builtin_mul_overflow(result, base, &result) ||
                __builtin_sub_overflow(result, int64_t{digit}, &result);
  }
  if (!negative && result == std::numeric_limits<int64_t>::min()) too_large = true;
  if (too_large) return ParseResult::kTooLarge;
  value = negative ? result : -result;
  return ParseResult::kOk;
}

std::optional<double> ParseFloat(absl::string_view text) {
  text = Strip(text, Side::kBoth);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    if (i == 0 || i + 1 == text.size() || DigitValue(text[i - 1]) > 9 ||
        DigitValue(text[i + 1]) > 9) {
      return std::nullopt;
    }
  }
  double value = 0;
  if (absl::EqualsIgnoreCase(digits, "inf") || absl::EqualsIgnoreCase(digits, "infinity")) {
    value = std::numeric_limits<double>::infinity();
  } else if (absl::EqualsIgnoreCase(digits, "nan")) {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (digits.empty() || (digits[0] != '.' && DigitValue(digits[0]) > 9)) return std::nullopt;
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (parsed.ptr != end) return std::nullopt;
    if (parsed.ec == std::errc::result_out_of_range) {
      // from_chars leaves the value; only the exponent's sign tells overflow from underflow.
      const size_t e = digits.find_first_of("eE");
      const bool tiny = e != std::string::npos && digits.substr(e).find('-') != std::string::npos;
      value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
    } else if (parsed.ec != std::errc()) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

double RoundTo(double value, int digits) {
  if (!std::isfinite(value) || std::fabs(value) >= 0x1p53) return value;
  // printf rounds the exact binary value half to even, as Python's round does. 16 digits before the
  // point, 300 after it.
  std::array<char, 330> buffer;
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
  double rounded = value;
  std::from_chars(buffer.data(), buffer.data() + size, rounded);
  return rounded;
}

}  // namespace weft::jinja
