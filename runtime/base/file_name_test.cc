#include "runtime/base/file_name.h"

#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

TEST(FileName, PlainOnesStayInTheirFolder) {
  for (const char* name : {"a", "model-00001-of-00002.safetensors", ".hidden", "..a", "a..", "...",
                           "with space", "caf\xc3\xa9", "a:b"})
    EXPECT_TRUE(IsPlainFileName(name)) << name;
  EXPECT_TRUE(IsPlainFileName(std::string(255, 'a')));
}

TEST(FileName, OthersLeadOut) {
  for (const char* name : {"", ".", "..", "/", "/etc/passwd", "../a", "a/../../b", "a/b", "a/",
                           "..\\a", "C:\\a", "a\nb", "\x1b[0m", "a\x7f"})
    EXPECT_FALSE(IsPlainFileName(name)) << name;
  EXPECT_FALSE(IsPlainFileName(absl::string_view("a\0b", 3)));
  EXPECT_FALSE(IsPlainFileName(absl::string_view("a\0", 2)));
  EXPECT_FALSE(IsPlainFileName(std::string(256, 'a')));
}

}  // namespace
}  // namespace weft
