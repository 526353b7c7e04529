#include "passes/remark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "passes/test_models.h"

namespace weft::passes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr absl::string_view kModel = R"(module "m" {
  tensor "emb" : f32[8,32] {file=0, offset=0}
  tensor "q" : f32[32,32] {file=0, offset=1024}
  tensor "k" : f32[32,32] {file=0, offset=5120}
  tensor "v" : f32[32,32] {file=0, offset=9216}
  tensor "o" : f32[32,32] {file=0, offset=13312}
  tensor "gu" : f32[64,32] {file=0, offset=17408}
  tensor "down" : f32[32,32] {file=0, offset=25600}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f32[8,32] @ "emb"
  %2 = embed %0, %1 : f32[T,32] @ "emb"
  %3 = weight {tensor="q"} : f32[32,32] @ "l.0.q"
  %4 = matmul %2, %3 : f32[T,32] @ "l.0.q"
  %5 = weight {tensor="k"} : f32[32,32] @ "l.0.k"
  %6 = matmul %2, %5 : f32[T,32] @ "l.0.k"
  %7 = weight {tensor="v"} : f32[32,32] @ "l.0.v"
  %8 = matmul %2, %7 : f32[T,32] @ "l.0.v"
  %9 = kv_append %6, %8 {heads=2, layer=0} : f32[S,2,2,16] @ "l.0.cache"
  %10 = attention %4, %9 {scale=0.5, heads=2} : f32[T,32] @ "l.0.attn"
  %11 = weight {tensor="o"} : f32[32,32] @ "l.0.o"
  %12 = matmul %10, %11 : f32[T,32] @ "l.0.o"
  %13 = add %2, %12 : f32[T,32] @ "l.0.sum"
  %14 = weight {tensor="gu"} : f32[64,32] @ "l.0.gu"
  %15 = matmul %13, %14 : f32[T,64] @ "l.0.gu"
  %16 = slice %15 {begin=0, end=32} : f32[T,32] @ "l.0.g"
  %17 = slice %15 {begin=32, end=64} : f32[T,32] @ "l.0.u"
  %18 = activate %16 {fn="silu"} : f32[T,32] @ "l.0.act"
  %19 = mul %18, %17 : f32[T,32] @ "l.0.mul"
  %20 = weight {tensor="down"} : f32[32,32] @ "l.0.down"
  %21 = matmul %19, %20 : f32[T,32] @ "l.0.down"
  %22 = add %13, %21 : f32[T,32] @ "l.0"
  %23 = matmul %22, %1 : f32[T,8] @ "head"
  return %23
})";

// "+pass: text" or "-pass: text" of one tensor.
std::vector<std::string> RemarksOn(absl::string_view tensor, PipelineOptions options,
                                   absl::string_view model = kModel) {
  std::vector<std::string> result;
  options.pass.context = 64;
  options.pass.remark = [&](const Remark& remark) {
    if (remark.tensor != tensor) return;
    const std::string rows = remark.rows.empty() ? "" : absl::StrJoin(remark.rows, "..");
    result.push_back(absl::StrCat(remark.done ? "+" : "-", remark.pass, rows.empty() ? "" : " ",
                                  rows, ": ", remark.text));
  };
  Lower(model, options);
  return result;
}

TEST(RemarkTest, TellsWhatWasFused) {
  PipelineOptions options;
  options.pass.weights = WeightsMode::kQ8_0;
  EXPECT_THAT(RemarksOn("k", options),
              ElementsAre("+fuse-qkv: one matmul for q, k and v: l.0.{q,k,v}",
                          "-fuse-epilogue: takes in nothing more: its result is used 3 times",
                          "+pack-layout: stacked with others of its matmul: l.0.{q,k,v}"));
  EXPECT_THAT(RemarksOn("o", options),
              ElementsAre("+fuse-epilogue: takes in residual",
                          "-fuse-epilogue: takes in nothing more: its result is used 2 times",
                          HasSubstr("-fuse-quantize: quantising its result stays a step")));
  EXPECT_THAT(RemarksOn("gu", options),
              ElementsAre(HasSubstr("+cut-weights 0..32: arrives as one matrix of gate, up"),
                          HasSubstr("+cut-weights 32..64: arrives as one matrix of gate, up"),
                          "+fuse-epilogue 0..32: takes in gated_silu",
                          "+fuse-epilogue 32..64: takes in gated_silu",
                          HasSubstr("-fuse-epilogue 0..32: takes in nothing more: matmul"),
                          HasSubstr("-fuse-epilogue 32..64: takes in nothing more: matmul"),
                          HasSubstr("+pack-layout 0..32: stacked"),
                          HasSubstr("+pack-layout 32..64: stacked"),
                          "+fuse-quantize 0..32: quantises its result for the next",
                          "+fuse-quantize 32..64: quantises its result for the next"));
}

TEST(RemarkTest, TellsWhyNot) {
  PipelineOptions options;
  options.disabled = {"fuse-qkv"};
  options.pass.formats = {{"gu", DataType::kQ8_0}};
  EXPECT_THAT(RemarksOn("", options), ElementsAre("-fuse-qkv: left out by --disable-pass"));
  EXPECT_THAT(RemarksOn("k", options),
              ElementsAre(HasSubstr("-fuse-epilogue: takes in nothing more: kv_append")));

  options = {};
  options.pass.formats = {{"k", DataType::kQ8_0}};
  EXPECT_THAT(RemarksOn("k", options),
              testing::AllOf(testing::Contains("-pack-layout: not stacked with l.0.q: that is f32"),
                             testing::Contains("-pack-layout: not stacked with l.0.v: that is "
                                               "f32")));
  // q is scaled by something that is no weight.
  std::string other(kModel);
  const std::string query = "attention %4,";
  other.replace(other.find(query), query.size(), "attention %2,");
  EXPECT_THAT(RemarksOn("k", {}, other),
              testing::Contains("-fuse-qkv: not joined: q of its attention is no plain matmul by a "
                                "weight"));
}

TEST(RemarkTest, ChangesNothing) {
  PipelineOptions options;
  options.pass.context = 64;
  const std::string without = ir::Print(Lower(kModel, options));
  options.pass.remark = [](const Remark&) {};
  EXPECT_EQ(ir::Print(Lower(kModel, options)), without);
}

}  // namespace
}  // namespace weft::passes
