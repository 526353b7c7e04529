#include "tools/table.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"op", "us"});
  table.AlignRight({1});
  table.Add({"m\u00e9", "1"});
  table.Add({"matmul", "1234"});
  EXPECT_EQ(table.ToString(),
            "op        us\n"
            "------  ----\n"
            "m\u00e9         1\n"
            "matmul  1234\n");
  EXPECT_EQ(table.ToMarkdown(),
            "| op     |   us |\n"
            "| ------ | ---: |\n"
            "| m\u00e9     |    1 |\n"
            "| matmul | 1234 |\n");
}

TEST(Table, OneLongCellDoesNotWidenEveryRow) {
  Table table({"op", "what"});
  const std::string name(100'000, 'n');
  table.Add({name, "long"});
  for (int i = 0; i < 1000; ++i) table.Add({"x", "short"});
  for (const std::string& text : {table.ToString(), table.ToMarkdown()}) {
    EXPECT_NE(text.find(name), std::string::npos);
    EXPECT_LT(text.size(), 100'000 + 1002 * 300u);
  }
}

}  // namespace
}  // namespace weft::tools
