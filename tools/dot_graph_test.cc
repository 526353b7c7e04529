#include "tools/dot_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "ir/text.h"

namespace weft::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

// Four layers of a scale and a matmul; that of layer 2 has another factor.
ir::Module FourLayers() {
  std::string text = R"(module "say \"hi\"" {
  tensor "emb" : f32[8,16] {file=0, offset=0}
  tensor "w" : bf16[16,16] {file=0, offset=512}
  %0 = input {name="tokens"} : i32[T] @ "tokens"
  %1 = weight {tensor="emb"} : f32[8,16] @ "emb"
  %2 = embed %0, %1 {scale=1.5} : f32[T,16] @ "emb.lookup"
)";
  for (int layer = 0; layer < 4; ++layer) {
    const int id = 3 + 4 * layer;
    absl::StrAppend(
        &text, "  %", id, " = scale %", id - 1, " {value=", layer == 2 ? 0.25 : 0.5,
        "} : f32[T,16] @ \"h.", layer, ".scale\"\n", "  %", id + 1,
        " = weight {tensor=\"w\", format=\"q8_0\", why=\"layer ", layer, "\"} : bf16[16,16] @ \"h.",
        layer, ".proj.weight\"\n", "  %", id + 2, " = matmul %", id, ", %", id + 1, ", %", id - 1,
        " {epilogue=[\"gelu\", \"residual\"]} : f32[T,16] @ \"h.", layer, ".proj\"\n", "  %",
        id + 3, " = add %", id + 2, ", %", id, " : f32[T,16] @ \"h.", layer, "\"\n");
  }
  absl::StrAppend(&text, "  %19 = slice %18 {begin=4, end=12} : f32[T,8] @ \"half\"\n",
                  "  %20 = argmax %19 : i32[T] @ \"best\"\n  return %20\n}\n");
  auto module = ir::Parse(text);
  EXPECT_TRUE(module.ok()) << module.status();
  return *std::move(module);
}

TEST(DotGraphTest, ShowsTheFirstLayerAndSaysHowOthersDiffer) {
  const std::string dot = *DotGraph(FourLayers());
  EXPECT_THAT(dot, HasSubstr("digraph \"say \\\"hi\\\"\" {\n"));
  EXPECT_THAT(dot, HasSubstr("  subgraph cluster_0 {\n    label=\"layer 0 of 4\";\n"));
  EXPECT_THAT(dot, HasSubstr("    n3 [label=\"scale\\n%3 scale\\nvalue 0.5\","));
  EXPECT_THAT(
      dot,
      HasSubstr("    n5 [label=\"proj\\n%5 matmul + gelu + residual\\nbf16[16,16] as q8_0\","));
  EXPECT_THAT(dot, HasSubstr("    n6 [label=\"%6 add\","));
  EXPECT_THAT(dot, HasSubstr("  layers1 [label=\"layer 1\\nsame as layer 0: 3 ops\","));
  EXPECT_THAT(
      dot,
      HasSubstr("  layers2 [label=\"layer 2\\nas layer 0: 3 ops, but other\\nscale: value\","));
  EXPECT_THAT(dot, HasSubstr("  layers3 [label=\"layer 3\\nsame as layer 0: 3 ops\","));
  EXPECT_THAT(dot, HasSubstr("  n2 [label=\"emb.lookup\\n%2 embed\\nscale 1.5\\nf32[8,16]\","));
  EXPECT_THAT(dot, HasSubstr("  n0 -> n2 [label=\" i32[T]\"];\n"));
  EXPECT_THAT(dot, HasSubstr("  n6 -> layers1 [label=\" f32[T,16]\"];\n"));
  EXPECT_THAT(dot, HasSubstr("  layers1 -> layers2 [label=\" f32[T,16]\"];\n"));
  EXPECT_THAT(dot, HasSubstr("  layers3 -> n20 [label=\" f32[T,8]\\n columns 4..12\"];\n"));
  EXPECT_THAT(dot, Not(HasSubstr("n4 ")));  // weights are no nodes
}

TEST(DotGraphTest, ShowsTheLayerThatIsAskedForOrAll) {
  const std::string one = *DotGraph(FourLayers(), 2);
  EXPECT_THAT(one, HasSubstr("  subgraph cluster_2 {"));
  EXPECT_THAT(one, HasSubstr("  layers0 [label=\"layers 0..1\\nas layer 2: 3 ops, but other\\n"
                             "scale: value\","));
  const std::string all = *DotGraph(FourLayers(), kAllLayers);
  for (int layer = 0; layer < 4; ++layer)
    EXPECT_THAT(all, HasSubstr(absl::StrCat("subgraph cluster_", layer, " {")));
  EXPECT_THAT(all, Not(HasSubstr("same as")));
  EXPECT_EQ(DotGraph(FourLayers(), 4).status().message(),
            "--expand-layer 4: the layers are 0 to 3");
}

}  // namespace
}  // namespace weft::tools
