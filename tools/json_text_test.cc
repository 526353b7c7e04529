#include "tools/json_text.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

// A GGUF file may call a tensor so.
TEST(JsonTextTest, BytesThatAreNoUtf8AreReplaced) {
  const nlohmann::ordered_json json = {{"b\xff", {"\xfe\xff", 1}}, {"a", "\u00e9"}};
  EXPECT_EQ(JsonText(json), "{\"b\ufffd\":[\"\ufffd\ufffd\",1],\"a\":\"\u00e9\"}");
  EXPECT_EQ(JsonText({{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace weft::tools
