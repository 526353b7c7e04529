#include "runtime/text/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

TEST(Utf8, DecodesEachLength) {
  const std::string text = "a\u00e9\u20ac\U0001F600";
  const char32_t codes[] = {U'a', U'\u00e9', U'\u20ac', U'\U0001F600'};
  const size_t sizes[] = {1, 2, 3, 4};
  size_t offset = 0;
  for (int i = 0; i < 4; ++i) {
    const Utf8Char c = DecodeUtf8(text, offset);
    EXPECT_TRUE(c.valid);
    EXPECT_EQ(c.code, codes[i]);
    EXPECT_EQ(c.size, sizes[i]);
    offset += c.size;
  }
  EXPECT_EQ(offset, text.size());
}

TEST(Utf8, EncodesWhatItDecodes) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    AppendUtf8(code, &text);
    const Utf8Char c = DecodeUtf8(text, 0);
    ASSERT_TRUE(c.valid && c.code == code && c.size == text.size()) << std::hex << uint32_t{code};
  }
}

// The examples of the Unicode standard 15.0, tables 3-8 to 3-11.
TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string r(kReplacementCharacter);
  EXPECT_EQ(RepairUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(RepairUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(RepairUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(RepairUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(RepairUtf8("caf\u00e9"), "caf\u00e9");
  EXPECT_EQ(RepairUtf8(""), "");
}

TEST(Utf8, ValidityAgreesWithRepair) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (const char c : {'\x41', '\x80', '\xBF', '\xE2'}) {
        const std::string text = {static_cast<char>(a), static_cast<char>(b), c};
        const std::string repaired = RepairUtf8(text);
        ASSERT_TRUE(IsValidUtf8(repaired));
        ASSERT_EQ(IsValidUtf8(text), repaired == text);
      }
    }
  }
}

TEST(Utf8, FindsTheUnfinishedEnd) {
  const std::string euro = "\u20ac";
  const std::string face = "\U0001F600";
  EXPECT_EQ(IncompleteUtf8Suffix(""), 0U);
  EXPECT_EQ(IncompleteUtf8Suffix("a"), 0U);
  EXPECT_EQ(IncompleteUtf8Suffix(euro), 0U);
  EXPECT_EQ(IncompleteUtf8Suffix(absl::StrCat("x", euro.substr(0, 1))), 1U);
  EXPECT_EQ(IncompleteUtf8Suffix(absl::StrCat("x", euro.substr(0, 2))), 2U);
  EXPECT_EQ(IncompleteUtf8Suffix(face.substr(0, 3)), 3U);
  EXPECT_EQ(IncompleteUtf8Suffix("\x80\x80\x80\x80"), 0U);
  EXPECT_EQ(IncompleteUtf8Suffix("\xE0\x80"), 0U) << "an overlong form can never be completed";
  EXPECT_EQ(IncompleteUtf8Suffix("\xFF"), 0U);
}

// Unicode 15.0, PropList.txt, White_Space: 25 characters.
TEST(Utf8, WhitespaceIsTheUnicodeProperty) {
  int count = 0;
  for (char32_t code = 0; code <= 0x10FFFF; ++code) count += IsWhitespace(code) ? 1 : 0;
  EXPECT_EQ(count, 25);
  for (const char32_t code : {0x09, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029,
                              0x202F, 0x205F, 0x3000}) {
    EXPECT_TRUE(IsWhitespace(code)) << std::hex << uint32_t{code};
  }
  EXPECT_FALSE(IsWhitespace(0x200B)) << "ZERO WIDTH SPACE is no White_Space";
  EXPECT_FALSE(IsWhitespace(0x180E)) << "nor is MONGOLIAN VOWEL SEPARATOR since Unicode 6.3";
}

TEST(Utf8, NumbersAndWordCharacters) {
  for (const char32_t code : {U'0', U'9', U'\u00b2', U'\u00bd', U'\u0663', U'\u2167'}) {
    EXPECT_TRUE(IsNumeric(code)) << std::hex << uint32_t{code};
  }
  for (const char32_t code : {U'a', U'.', U'\u4e00', U'/', U':'}) EXPECT_FALSE(IsNumeric(code));
  for (const char32_t code : {U'a', U'Z', U'_', U'7', U'\u00e9', U'\u4e00', U'\u0301', U'\u200d'}) {
    EXPECT_TRUE(IsWordChar(code)) << std::hex << uint32_t{code};
  }
  for (const char32_t code : {U' ', U'-', U'.', U'$', U'\u20ac', U'\U0001F600'}) {
    EXPECT_FALSE(IsWordChar(code)) << std::hex << uint32_t{code};
  }
}

}  // namespace
}  // namespace weft
