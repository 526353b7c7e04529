#include "runtime/text/jinja_number.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(FloatRepr, IsPythons) {
  EXPECT_EQ(FloatRepr(1.0), "1.0");
  EXPECT_EQ(FloatRepr(-0.0), "-0.0");
  EXPECT_EQ(FloatRepr(0.1), "0.1");
  EXPECT_EQ(FloatRepr(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(FloatRepr(1e15), "1000000000000000.0");
  EXPECT_EQ(FloatRepr(1e16), "1e+16");
  EXPECT_EQ(FloatRepr(1.5e-5), "1.5e-05");
  EXPECT_EQ(FloatRepr(0.0001), "0.0001");
  EXPECT_EQ(FloatRepr(1e100), "1e+100");
  EXPECT_EQ(FloatRepr(5e-324), "5e-324");
  EXPECT_EQ(FloatRepr(123456.789), "123456.789");
  EXPECT_EQ(FloatRepr(-INFINITY), "-inf");
  EXPECT_EQ(FloatRepr(NAN), "nan");
}

TEST(ParseInt, IsPythons) {
  int64_t value = 0;
  auto parse = [&](absl::string_view text, int64_t base = 10) {
    return ParseInt(text, base, value);
  };
  EXPECT_EQ(parse(" -1_000 "), ParseResult::kOk);
  EXPECT_EQ(value, -1000);
  EXPECT_EQ(parse("0x_1f", 16), ParseResult::kOk);
  EXPECT_EQ(value, 31);
  EXPECT_EQ(parse("0b101", 0), ParseResult::kOk);
  EXPECT_EQ(value, 5);
  EXPECT_EQ(parse("007"), ParseResult::kOk);
  EXPECT_EQ(parse("-9223372036854775808"), ParseResult::kOk);
  EXPECT_EQ(value, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(parse("9223372036854775808"), ParseResult::kTooLarge);
  EXPECT_EQ(parse("99999999999999999999999999"), ParseResult::kTooLarge);
  for (absl::string_view bad : {"", "-", "_1", "1_", "1__0", "1.5", "x", "0x", "1 2", "٣x"}) {
    EXPECT_EQ(parse(bad), ParseResult::kNotANumber) << bad;
  }
  EXPECT_EQ(parse("007", 0), ParseResult::kNotANumber);
  EXPECT_EQ(parse("1", 1), ParseResult::kNotANumber);
  EXPECT_EQ(parse("1", 37), ParseResult::kNotANumber);
  EXPECT_EQ(parse("z", 36), ParseResult::kOk);
  EXPECT_EQ(value, 35);
}

TEST(ParseFloat, IsPythons) {
  EXPECT_EQ(ParseFloat(" 1e3 "), 1000.0);
  EXPECT_EQ(ParseFloat("-.5"), -0.5);
  EXPECT_EQ(ParseFloat("5."), 5.0);
  EXPECT_EQ(ParseFloat("1_0.5"), 10.5);
  EXPECT_EQ(ParseFloat("1e400"), INFINITY);
  EXPECT_EQ(ParseFloat("-1e-400"), 0.0);
  EXPECT_EQ(ParseFloat("-Infinity"), -INFINITY);
  EXPECT_TRUE(std::isnan(*ParseFloat("nan")));
  for (absl::string_view bad :
       {"", ".", "e5", "0x10", "1_", "_1", "1._5", "--1", "1e", "infinit"}) {
    EXPECT_FALSE(ParseFloat(bad).has_value()) << bad;
  }
}

TEST(RoundTo, RoundsTheBinaryValueHalfToEven) {
  EXPECT_EQ(RoundTo(2.5, 0), 2.0);
  EXPECT_EQ(RoundTo(3.5, 0), 4.0);
  EXPECT_EQ(RoundTo(-1.5, 0), -2.0);
  EXPECT_EQ(RoundTo(2.675, 2), 2.67);  // the nearest double is below 2.675
  EXPECT_EQ(RoundTo(1e300, 3), 1e300);
  EXPECT_EQ(RoundTo(0.1234567, 5), 0.12346);
}

}  // namespace
}  // namespace weft::jinja
