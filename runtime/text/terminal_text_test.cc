#include "runtime/text/terminal_text.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(TerminalText, LeavesTextAndShowsWhatTerminalsObey) {
  EXPECT_EQ(TerminalText("caf\u00e9 \u2581\U0001f600\n\tx"), "caf\u00e9 \u2581\U0001f600\n\tx");
  EXPECT_EQ(TerminalText("\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
  EXPECT_EQ(TerminalText("a\rb\x7f\xc2\x9b"), "a\\x0db\\x7f\\xc2\\x9b");  // C1's CSI
  EXPECT_EQ(TerminalText("\xc3"), "\\xc3");
  EXPECT_EQ(TerminalText("\xff\xe2\x96"), "\\xff\\xe2\\x96");
  EXPECT_EQ(TerminalText(absl::string_view("\0", 1)), "\\x00");
}

TEST(TerminalText, InOneLine) {
  EXPECT_EQ(TerminalLine("a\nmodel  b\t\u00e9\x1b"), "a\\x0amodel  b\\x09\u00e9\\x1b");
}

TEST(TerminalText, IsCut) {
  EXPECT_EQ(TerminalText("abcd", 4), "abcd");
  EXPECT_EQ(TerminalText("abcde", 4), "abcd…");
  EXPECT_EQ(TerminalText("abc\u00e9e", 4), "abc\u00e9…");  // never within a character
}

TEST(TerminalText, QuotedIsShort) {
  EXPECT_EQ(QuotedText("a b"), "'a b'");
  EXPECT_EQ(QuotedText(std::string(1000, 'x')), "'" + std::string(120, 'x') + "…'");
}

}  // namespace
}  // namespace weft
