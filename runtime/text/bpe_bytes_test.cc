#include "runtime/text/bpe_bytes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "runtime/text/utf8.h"

namespace weft {
namespace {

std::string ToByteAlphabet(std::string_view bytes) {
  std::string out;
  AppendToByteAlphabet(bytes, &out);
  return out;
}

TEST(ByteAlphabet, SpellsAsGpt2Does) {
  EXPECT_EQ(ToByteAlphabet(" a\n\t!~"), "\u0120a\u010A\u0109!~");
  EXPECT_EQ(ToByteAlphabet(std::string("\0", 1)), "\u0100");
  EXPECT_EQ(ToByteAlphabet("\x7F\xA0\xAD"), "\u0121\u0142\u0143") << "the last of the 68";
  EXPECT_EQ(ToByteAlphabet("\u00e9"), "\u00c3\u00a9");
}

TEST(ByteAlphabet, IsOneToOne) {
  std::set<std::string> spellings;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    const std::string spelling = ToByteAlphabet(bytes);
    EXPECT_TRUE(IsValidUtf8(spelling));
    EXPECT_TRUE(spellings.insert(spelling).second) << byte;
    std::string back;
    EXPECT_TRUE(AppendFromByteAlphabet(spelling, &back));
    EXPECT_EQ(back, bytes);
  }
}

TEST(ByteAlphabet, RefusesOtherCharacters) {
  std::string bytes = "kept";
  EXPECT_FALSE(AppendFromByteAlphabet("ab c", &bytes)) << "a blank is no letter of the alphabet";
  EXPECT_FALSE(AppendFromByteAlphabet("\u0144", &bytes));
  EXPECT_FALSE(AppendFromByteAlphabet("\u4e00", &bytes));
  EXPECT_FALSE(AppendFromByteAlphabet("\xC3", &bytes));
  EXPECT_EQ(bytes, "kept");
}

}  // namespace
}  // namespace weft
