#include "ir/op_doc.h"

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

using testing::HasSubstr;

TEST(OpDocTest, HasEveryOpAndAttribute) {
  const std::string text = OpReference();
  for (const OpInfo& info : AllOps()) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("\n### `", info.name, "`\n\n", info.doc)));
  }
  for (const AttrInfo& info : AllAttrs()) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("- `", info.name, "` (", Name(info.kind))));
  }
}

TEST(OpDocTest, TheExampleParses) {
  const std::string text = OpReference();
  const size_t begin = text.find("```\nmodule") + 4;
  const absl::StatusOr<Module> module = Parse(text.substr(begin, text.find("```", begin) - begin));
  EXPECT_TRUE(module.ok()) << module.status();
}

TEST(OpDocTest, TheCommittedReferenceIsNotStale) {
  std::ifstream file("docs/ir.md", std::ios::binary);
  const std::string committed((std::istreambuf_iterator<char>(file)), {});
  EXPECT_TRUE(committed == OpReference()) << "docs/ir.md is stale: run scripts/update-docs";
}

}  // namespace
}  // namespace weft::ir
