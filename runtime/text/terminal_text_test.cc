#include "runtime/base/printable.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Printable, LeavesTextAndShowsWhatTerminalsObey) {
  EXPECT_EQ(Printable("caf\u00e9 \u2581\U0001f600\n\tx"), "caf\u00e9 \u2581\U0001f600\n\tx");
  EXPECT_EQ(Printable("\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
  EXPECT_EQ(Printable("a\rb\x7f\xc2\x9b"), "a\\x0db\\x7f\\xc2\\x9b");  // C1's CSI
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
  EXPECT_EQ(Printable("\xff\xe2\x96"), "\\xff\\xe2\\x96");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
}

TEST(Printable, InOneLine) {
  EXPECT_EQ(PrintableLine("a\nmodel  b\t\u00e9\x1b"), "a\\x0amodel  b\\x09\u00e9\\x1b");
}

TEST(Printable, IsCut) {
  EXPECT_EQ(Printable("abcd", 4), "abcd");
  EXPECT_EQ(Printable("abcde", 4), "abcd…");
  EXPECT_EQ(Printable("abc\u00e9e", 4), "abc\u00e9…");  // never within a character
}

}  // namespace
}  // namespace weft
