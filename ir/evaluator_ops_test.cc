// Each op against numbers worked out by hand; the comments show how.
#include "ir/evaluator_ops.h"

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/evaluator.h"
#include "ir/map_weight_reader.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

// Activations %3 : f32[T,n] (row t is xs[t]), positions %1, and named weights; `lines` follow from
// %4, and the last is the result.
class EvaluatorOpsTest : public testing::Test {
 protected:
  void X(const std::vector<std::vector<float>>& rows) {
    std::vector<float> flat;
    for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
    count_ = static_cast<int32_t>(rows.size());
    Tensor("x", "f32", {count_, static_cast<int64_t>(rows[0].size())}, std::move(flat));
  }

  void Tensor(const std::string& name, const std::string& dtype, const std::vector<int64_t>& dims,
              std::vector<float> values) {
    absl::StrAppend(&tensors_, "  tensor \"", name, "\" : ", dtype, "[", absl::StrJoin(dims, ","),
                    "] {file=0, offset=0}\n");
    if (name == "x") columns_ = dims[1];
    values_[name] = std::move(values);
  }

  absl::StatusOr<Value> TryRun(const std::string& lines, int64_t logit_rows = 0) {
    const size_t last = lines.rfind("\n%") == std::string::npos ? 0 : lines.rfind("\n%") + 1;
    const std::string text =
        absl::StrCat("module \"m\" {\n", tensors_, "%0 = input {name=\"tokens\"} : i32[T]\n",
                     "%1 = input {name=\"positions\"} : i32[T]\n%2 = weight {tensor=\"x\"} : f32[",
                     count_, ",", columns_, "]\n%3 = embed %0, %2 : f32[T,", columns_, "]\n", lines,
                     "\nreturn ", lines.substr(last, lines.find(' ', last) - last), "}");
    absl::StatusOr<Module> module = Parse(text);
    if (!module.ok()) return module.status();
    std::vector<int32_t> tokens(count_);
    std::iota(tokens.begin(), tokens.end(), 0);
    absl::StatusOr<std::vector<Value>> outputs =
        Evaluate(*module, MapWeightReader(values_), tokens, {.logit_rows = logit_rows});
    if (!outputs.ok()) return outputs.status();
    return outputs->at(0);
  }

  Value Run(const std::string& lines, int64_t logit_rows = 0) {
    absl::StatusOr<Value> value = TryRun(lines, logit_rows);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? *value : Value{};
  }

  void ExpectNear(const Value& value, const std::vector<float>& expected, float tolerance = 1e-6F) {
    EXPECT_THAT(value.floats, Pointwise(FloatNear(tolerance), expected));
  }

 private:
  std::string tensors_;
  std::map<std::string, std::vector<float>> values_;
  int32_t count_ = 0;
  int64_t columns_ = 0;
};

TEST_F(EvaluatorOpsTest, InputsAreIdsAndPositions) {
  X({{1}, {2}, {3}});
  EXPECT_THAT(Run(R"(%4 = input {name="positions"} : i32[T])").ints, ElementsAre(0, 1, 2));
  EXPECT_THAT(Run(R"(%4 = input {name="tokens"} : i32[T])").ints, ElementsAre(0, 1, 2));
}

TEST_F(EvaluatorOpsTest, WeightsAreTransposedThenCut) {
  X({{0}});
  Tensor("w", "f32", {2, 3}, {1, 2, 3, 4, 5, 6});
  Tensor("v", "bf16", {4}, {1, 2, 3, 4});
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w"} : f32[2,3])").floats, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w", rows=[1, 2]} : f32[1,3])").floats,
              ElementsAre(4, 5, 6));
  const Value turned = Run(R"(%4 = weight {tensor="w", transposed=true} : f32[3,2])");
  EXPECT_THAT(turned.floats, ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(turned.dims, ElementsAre(3, 2));
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w", rows=[1, 3], transposed=true} : f32[2,2])").floats,
              ElementsAre(2, 5, 3, 6));
  EXPECT_THAT(Run(R"(%4 = weight {tensor="v", rows=[1, 3]} : bf16[2])").floats, ElementsAre(2, 3));
}

TEST_F(EvaluatorOpsTest, RopeTableHoldsCosinesThenSines) {
  X({{0}});
  // Angles 0, 90°, 180° and 0, 60°, 120°, doubled by the factor: 2·cos 60° = 1, 2·sin 60° = √3.
  const Value table =
      Run("%4 = rope_table {context=3, inv_freq=[1.5707964, 1.0471976], factor=2.0} : f32[3,4]");
  const float root = std::sqrt(3.0F);
  EXPECT_THAT(table.dims, ElementsAre(3, 4));
  ExpectNear(table, {2, 2, 0, 0, 0, 1, 2, root, -2, -1, 0, root});
}

TEST_F(EvaluatorOpsTest, ConcatStacksRows) {
  X({{0}});
  Tensor("a", "f32", {1, 2}, {1, 2});
  Tensor("b", "f32", {2, 2}, {3, 4, 5, 6});
  const Value stacked = Run(R"(%4 = weight {tensor="a"} : f32[1,2]
%5 = weight {tensor="b"} : f32[2,2]
%6 = concat %4, %5, %4 : f32[4,2])");
  EXPECT_THAT(stacked.dims, ElementsAre(4, 2));
  EXPECT_THAT(stacked.floats, ElementsAre(1, 2, 3, 4, 5, 6, 1, 2));
}

TEST_F(EvaluatorOpsTest, PackRoundsToQ8_0) {
  X({{0}});
  // Scale 127/127 = 1, rounded half away from zero; a row of 3 is padded with zeros to a block.
  Tensor("w", "f32", {2, 3}, {127, 0.5, -2.5, -254, 1.5, 3});
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w"} : f32[2,3]
%5 = pack %4 {format="q8_0", layout="panels16"} : q8_0[2,3]{panels16})")
                  .floats,
              ElementsAre(127, 1, -3, -254, 2, 4));  // second row: scale 2, 0.75 → 1, 1.5 → 2
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w"} : f32[2,3]
%5 = pack %4 {format="f32", layout="panels16"} : f32[2,3]{panels16})")
                  .floats,
              ElementsAre(127, 0.5, -2.5, -254, 1.5, 3));
}

TEST_F(EvaluatorOpsTest, PackTakesQ8_0BlocksAsTheyAre) {
  X({{0}});
  // -128 and 1 of a scale of 1. Quantised anew, amax 128 would make the scale 128/127.
  std::vector<float> blocks(32, 1);
  blocks[0] = -128;
  Tensor("q", "q8_0", {1, 32}, blocks);
  std::vector<float> floats(32, 0.5);
  floats[0] = 127;
  Tensor("f", "f16", {1, 32}, floats);
  const Value packed = Run(R"(%4 = weight {tensor="q"} : q8_0[1,32]
%5 = weight {tensor="f"} : f16[1,32]
%6 = pack %4, %5 {format="q8_0", layout="panels16"} : q8_0[2,32]{panels16})");
  ASSERT_EQ(packed.floats.size(), 64U);
  EXPECT_EQ(packed.floats[0], -128);
  EXPECT_EQ(packed.floats[1], 1);
  EXPECT_EQ(packed.floats[32], 127);
  EXPECT_EQ(packed.floats[33], 1);
}

TEST_F(EvaluatorOpsTest, EmbedTakesRowsAndScalesThem) {
  X({{1, 2}, {3, 4}});
  EXPECT_THAT(Run("%4 = embed %0, %2 {scale=0.5} : f32[T,2]").floats, ElementsAre(0.5, 1, 1.5, 2));
  // ids 0 and 1, but the table has one row
  Tensor("short", "f32", {1, 2}, {1, 2});
  EXPECT_EQ(TryRun(R"(%4 = weight {tensor="short"} : f32[1,2]
%5 = embed %0, %4 : f32[T,2] @ "wte")")
                .status()
                .message(),
            "embed at 'wte': id 1 is not below 1");
}

TEST_F(EvaluatorOpsTest, RmsNorm) {
  X({{3, 4}});
  Tensor("w", "f32", {2}, {1, 2});
  const std::string w = "%4 = weight {tensor=\"w\"} : f32[2]\n";
  // mean of squares 12.5; with eps 12.5 the root is 5
  ExpectNear(Run(w + "%5 = rms_norm %3, %4 {eps=12.5} : f32[T,2]"), {0.6F, 1.6F});
  ExpectNear(Run(w + "%5 = rms_norm %3, %4 {eps=12.5, offset=1.0} : f32[T,2]"), {1.2F, 2.4F});
  // √12.5 = 3.5355339
  ExpectNear(Run(w + "%5 = rms_norm %3, %4 {eps=0.0} : f32[T,2]"), {0.84852814F, 2.2627417F});
}

TEST_F(EvaluatorOpsTest, RmsNormOfGroups) {
  X({{3, 4, 1, 7}, {0, 5, 6, 8}});
  Tensor("w", "f32", {2}, {1, 2});
  // eps 0: roots √12.5, √25, √12.5, √50
  ExpectNear(Run("%4 = weight {tensor=\"w\"} : f32[2]\n%5 = rms_norm %3, %4 {eps=0.0, group=2} : "
                 "f32[T,4]"),
             {0.84852814F, 2.2627417F, 0.2F, 2.8F, 0, 2.8284271F, 0.84852814F, 2.2627417F});
}

TEST_F(EvaluatorOpsTest, LayerNorm) {
  X({{1, 2, 3, 4}, {-4, -3, -2, -1}});
  Tensor("w", "f32", {4}, {1, 2, 1, 2});
  Tensor("b", "f32", {4}, {0, 1, 0, -1});
  // mean 2.5, variance 1.25 (over n, not n - 1); with eps 1 the root is 1.5; the second row is the
  // first less 5
  ExpectNear(Run(R"(%4 = weight {tensor="w"} : f32[4]
%5 = weight {tensor="b"} : f32[4]
%6 = layer_norm %3, %4, %5 {eps=1.0} : f32[T,4])"),
             {-1, 1 / 3.0F, 1 / 3.0F, 1, -1, 1 / 3.0F, 1 / 3.0F, 1});
}

TEST_F(EvaluatorOpsTest, MatmulStacksWeights) {
  X({{1, 2}, {3, 4}});
  Tensor("a", "f32", {2, 2}, {1, 0, 10, 1});
  Tensor("b", "f32", {1, 2}, {-1, 100});
  const Value y = Run(R"(%4 = weight {tensor="a"} : f32[2,2]
%5 = weight {tensor="b"} : f32[1,2]
%6 = matmul %3, %4, %5 {weights=2} : f32[T,3])");
  EXPECT_THAT(y.dims, ElementsAre(2, 3));
  EXPECT_THAT(y.floats, ElementsAre(1, 12, 199, 3, 34, 397));
}

TEST_F(EvaluatorOpsTest, MatmulAppliesTheEpilogueInOrder) {
  X({{2, -1}});
  Tensor("w", "f32", {2, 2}, {1, 0, 0, 1});
  Tensor("b", "f32", {2}, {-1, 2});
  const std::string weights =
      "%4 = weight {tensor=\"w\"} : f32[2,2]\n%5 = weight {tensor=\"b\"} : f32[2]\n";
  // x·W = (2, -1), + bias = (1, 1); silu(1) = 1/(1 + e⁻¹) = 0.7310586; + x
  ExpectNear(
      Run(weights +
          "%6 = matmul %3, %4, %5, %3 {epilogue=[\"bias\", \"silu\", \"residual\"]} : f32[T,2]"),
      {2.7310586F, -0.2689414F});
  // the residual first: (4, -2); silu(4) = 4/(1 + e⁻⁴) = 3.9280552, silu(-2) = -0.2384058; + bias
  ExpectNear(
      Run(weights +
          "%6 = matmul %3, %4, %3, %5 {epilogue=[\"residual\", \"silu\", \"bias\"]} : f32[T,2]"),
      {2.9280552F, 1.7615942F});
  ExpectNear(Run(weights + "%6 = matmul %3, %4 {epilogue=[\"gelu\"]} : f32[T,2]"),
             {1.9544997F, -0.1586553F});
  ExpectNear(Run(weights + "%6 = matmul %3, %4 {epilogue=[\"gelu_tanh\"]} : f32[T,2]"),
             {1.9545977F, -0.1588080F});
}

TEST_F(EvaluatorOpsTest, MatmulGatesAndQuantises) {
  X({{1, 2}, {2, 1}});
  Tensor("w", "f32", {4, 2}, {1, 0, 0, 1, 3, 0, 0, 5});  // gate: x, up: (3, 5) · x
  Tensor("b", "f32", {2}, {100, 200});
  const std::string weights = R"(%4 = weight {tensor="w"} : f32[4,2]
%5 = weight {tensor="b"} : f32[2]
)";
  // silu(1) = 0.7310586, silu(2) = 1.7615942
  ExpectNear(Run(weights + "%6 = matmul %3, %4 {epilogue=[\"gated_silu\"]} : f32[T,2]"),
             {2.1931758F, 17.615942F, 10.569565F, 3.655293F});
  ExpectNear(
      Run(weights + "%6 = matmul %3, %4, %5 {epilogue=[\"gated_silu\", \"bias\"]} : f32[T,2]"),
      {102.1931758F, 217.615942F, 110.569565F, 203.655293F});
  // Scales 17.615942/127 and 10.569565/127; 15.81 and 43.92 quants beside the 127.
  ExpectNear(
      Run(weights + "%6 = matmul %3, %4 {epilogue=[\"gated_silu\", \"quantize\"]} : q8a[T,2]"),
      {16 * 17.615942F / 127, 17.615942F, 10.569565F, 44 * 10.569565F / 127});
}

TEST_F(EvaluatorOpsTest, BiasAndResidualReachEveryRow) {
  X({{1, 2}, {3, 4}});
  Tensor("w", "f32", {2, 2}, {0, 0, 0, 0});
  Tensor("b", "f32", {2}, {10, 20});
  EXPECT_THAT(Run(R"(%4 = weight {tensor="w"} : f32[2,2]
%5 = weight {tensor="b"} : f32[2]
%6 = matmul %3, %4, %5, %3 {epilogue=["bias", "residual"]} : f32[T,2])")
                  .floats,
              ElementsAre(11, 22, 13, 24));
}

TEST_F(EvaluatorOpsTest, QuantizeRoundsHalfToEvenInBlocks) {
  // Block of 32 with amax 127: scale 1. The last 2 columns are a block with scale 2.
  std::vector<float> x(34, 0);
  x[0] = 127;
  x[1] = 0.5;
  x[2] = 1.5;
  x[3] = 2.5;
  x[4] = -0.5;
  x[5] = -3.5;
  x[6] = 7.49F;
  x[32] = -254;
  x[33] = 4.9F;
  X({x});
  std::vector<float> expected(34, 0);
  expected[0] = 127;
  expected[2] = 2;
  expected[3] = 2;
  expected[5] = -4;
  expected[6] = 7;
  expected[32] = -254;
  expected[33] = 4;
  EXPECT_THAT(Run("%4 = quantize %3 : q8a[T,34]").floats, Pointwise(testing::FloatEq(), expected));
}

TEST_F(EvaluatorOpsTest, QuantizeOfNothingIsZero) {
  X({{0, 0}, {1e-38F, -1e-39F}, {std::numeric_limits<float>::denorm_min(), 0}});
  EXPECT_THAT(Run("%4 = quantize %3 : q8a[T,2]").floats, ElementsAre(0, 0, 0, 0, 0, 0));
}

// A block's quants cannot tell which of its values is no number.
TEST_F(EvaluatorOpsTest, QuantizeOfWhatIsNoNumberIsNan) {
  std::vector<std::vector<float>> rows(3, std::vector<float>(34, 1));
  rows[0][30] = NAN;
  rows[1][0] = INFINITY;
  rows[2][31] = -INFINITY;
  X(rows);
  const std::vector<float> result = Run("%4 = quantize %3 : q8a[T,34]").floats;
  ASSERT_EQ(result.size(), 3U * 34);
  for (size_t i = 0; i < result.size(); ++i) {
    if (i % 34 < 32) {
      EXPECT_TRUE(std::isnan(result[i])) << i;
    } else {
      EXPECT_FLOAT_EQ(result[i], 1) << i;
    }
  }
}

TEST_F(EvaluatorOpsTest, QuantisedWeightsTakeQuantisedActivations) {
  X({{127, 2.5}});
  Tensor("w", "f32", {1, 2}, {0, 127});
  const std::string packs = R"(%4 = weight {tensor="w"} : f32[1,2]
%5 = pack %4 {format="q8_0", layout="panels16"} : q8_0[1,2]{panels16}
%6 = pack %4 {format="f32", layout="panels16"} : f32[1,2]{panels16}
%7 = quantize %3 : q8a[T,2]
)";
  // 2.5 becomes 2 on the way to q8_0 weights only.
  EXPECT_THAT(Run(packs + "%8 = matmul %7, %5 : f32[T,1]").floats, ElementsAre(254));
  EXPECT_THAT(Run(packs + "%8 = matmul %3, %7, %5, %6 {weights=2, inputs=2} : f32[T,2]").floats,
              ElementsAre(254, 317.5));
  EXPECT_THAT(Run(packs + "%8 = matmul %3, %7, %6, %5 {weights=2, inputs=2} : f32[T,2]").floats,
              ElementsAre(317.5, 254));
}

TEST_F(EvaluatorOpsTest, AddMulScale) {
  X({{1, 2}, {3, 4}});
  Tensor("v", "f32", {2}, {10, 100});
  const std::string v = "%4 = weight {tensor=\"v\"} : f32[2]\n";
  EXPECT_THAT(Run("%4 = add %3, %3 : f32[T,2]").floats, ElementsAre(2, 4, 6, 8));
  EXPECT_THAT(Run(v + "%5 = add %3, %4 : f32[T,2]").floats, ElementsAre(11, 102, 13, 104));
  EXPECT_THAT(Run("%4 = mul %3, %3 : f32[T,2]").floats, ElementsAre(1, 4, 9, 16));
  EXPECT_THAT(Run(v + "%5 = mul %3, %4 : f32[T,2]").floats, ElementsAre(10, 200, 30, 400));
  EXPECT_THAT(Run("%4 = scale %3 {value=-0.5} : f32[T,2]").floats, ElementsAre(-0.5, -1, -1.5, -2));
}

TEST_F(EvaluatorOpsTest, Activations) {
  X({{-1, 0, 1, 2}});
  // x·Φ(x): Φ(1) = 0.8413447, Φ(2) = 0.9772499
  ExpectNear(Run(R"(%4 = activate %3 {fn="gelu"} : f32[T,4])"),
             {-0.1586553F, 0, 0.8413447F, 1.9544997F});
  // 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): tanh(0.8335629) = 0.6823840
  ExpectNear(Run(R"(%4 = activate %3 {fn="gelu_tanh"} : f32[T,4])"),
             {-0.1588080F, 0, 0.8411920F, 1.9545977F});
  ExpectNear(Run(R"(%4 = activate %3 {fn="silu"} : f32[T,4])"),
             {-0.2689414F, 0, 0.7310586F, 1.7615942F});
  // times x itself as the up projection
  ExpectNear(Run(R"(%4 = gated_activate %3, %3 {fn="silu"} : f32[T,4])"),
             {0.2689414F, 0, 0.7310586F, 3.5231884F});
}

TEST_F(EvaluatorOpsTest, Softcap) {
  X({{30, -30, 0, 1e9F}});
  // 30·tanh(1) = 22.847825
  ExpectNear(Run("%4 = softcap %3 {cap=30.0} : f32[T,4]"), {22.847825F, -22.847825F, 0, 30}, 1e-5F);
}

TEST_F(EvaluatorOpsTest, SliceTakesColumns) {
  X({{1, 2, 3}, {4, 5, 6}});
  const Value y = Run("%4 = slice %3 {begin=1, end=3} : f32[T,2]");
  EXPECT_THAT(y.floats, ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(y.dims, ElementsAre(2, 2));
}

// Quarter turns: (a, b) at position 1 becomes (-b, a), at position 2 (-a, -b); the second pair
// turns twice as fast. Two heads of 5, of which the fifth column stays.
constexpr char kQuarterTurns[] =
    "%4 = rope_table {context=4, inv_freq=[1.5707963, 3.1415927]} : f32[4,4]\n";

TEST_F(EvaluatorOpsTest, RopeRotatesHalves) {
  X({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}});
  const Value y = Run(std::string(kQuarterTurns) + "%5 = rope %3, %1, %4 {heads=2} : f32[T,10]");
  ExpectNear(y, {1,  2,  3, 4,  5,  6,  7, 8,  9, 10, -3, -2, 1,  -4, 5,
                 -8, -7, 6, -9, 10, -1, 2, -3, 4, 5,  -6, 7,  -8, 9,  10},
             1e-5F);
}

TEST_F(EvaluatorOpsTest, RopeRotatesInterleavedPairs) {
  X({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}});
  const Value y = Run(std::string(kQuarterTurns) +
                      "%5 = rope %3, %1, %4 {heads=2, interleaved=true} : f32[T,10]");
  ExpectNear(y, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -2, 1, -3, -4, 5, -7, 6, -8, -9, 10}, 1e-5F);
}

TEST_F(EvaluatorOpsTest, RopeKnowsTheEndOfItsTable) {
  X({{1, 2}, {1, 2}, {1, 2}});
  EXPECT_EQ(TryRun(R"(%4 = rope_table {context=2, inv_freq=[1.0]} : f32[2,2]
%5 = rope %3, %1, %4 {heads=1} : f32[T,2] @ "layers.0")")
                .status()
                .message(),
            "rope at 'layers.0': position 2 is not below 2");
}

TEST_F(EvaluatorOpsTest, KvAppendHoldsKeysThenValuesOfEachPosition) {
  X({{1, 2, 3, 4}, {5, 6, 7, 8}});
  const Value cache = Run(R"(%4 = scale %3 {value=10.0} : f32[T,4]
%5 = kv_append %3, %4 {heads=2, layer=0} : f32[S,2,2,2])");
  EXPECT_THAT(cache.dims, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(cache.floats, ElementsAre(1, 2, 3, 4, 10, 20, 30, 40, 5, 6, 7, 8, 50, 60, 70, 80));
}

constexpr float kLn2 = 0.69314718F;
constexpr float kLn3 = 1.0986123F;
constexpr float kLn5 = 1.6094379F;

// Columns: q, k, v of one head of 1. Scores q·k are logarithms, so weights are as 1 : 3 : …
TEST_F(EvaluatorOpsTest, AttentionIsCausal) {
  X({{1, 0, 4}, {1, kLn3, 8}, {2, kLn2, 16}});
  const std::string qkv = R"(%4 = slice %3 {begin=0, end=1} : f32[T,1]
%5 = slice %3 {begin=1, end=2} : f32[T,1]
%6 = slice %3 {begin=2, end=3} : f32[T,1]
%7 = kv_append %5, %6 {heads=1, layer=0} : f32[S,2,1,1]
)";
  // t=0: 4. t=1: (1·4 + 3·8)/4 = 7. t=2, q = 2: weights 1, 3² = 9, 2² = 4: (4 + 72 + 64)/14 = 10.
  ExpectNear(Run(qkv + "%8 = attention %4, %7 {scale=1.0, heads=1} : f32[T,1]"), {4, 7, 10});
  // Half the scale at t=2: weights 1, 3, 2: (4 + 24 + 32)/6 = 10; at t=1 weights 1, √3:
  // (4 + 8√3)/(1 + √3) = 6.5358984.
  ExpectNear(Run(qkv + "%8 = attention %4, %7 {scale=0.5, heads=1} : f32[T,1]"),
             {4, 6.5358984F, 10});
  // A window of 2 at t=2: (9·8 + 4·16)/13 = 10.461538; of 1: itself.
  ExpectNear(Run(qkv + "%8 = attention %4, %7 {scale=1.0, heads=1, window=2} : f32[T,1]"),
             {4, 7, 10.461538F});
  ExpectNear(Run(qkv + "%8 = attention %4, %7 {scale=1.0, heads=1, window=1} : f32[T,1]"),
             {4, 8, 16});
  ExpectNear(Run(qkv + "%8 = attention %4, %7 {scale=1.0, heads=1, window=3} : f32[T,1]"),
             {4, 7, 10});
}

TEST_F(EvaluatorOpsTest, AttentionCapsScores) {
  X({{0, 0, 1}, {1000, 1000, 3}});
  // Scores 0 and 10⁶ become 0 and 2·tanh(∞) = 2: weights 1 and e² = 7.3890561.
  // (1 + 3·7.3890561)/8.3890561 = 2.7615942
  ExpectNear(Run(R"(%4 = slice %3 {begin=0, end=1} : f32[T,1]
%5 = slice %3 {begin=1, end=2} : f32[T,1]
%6 = slice %3 {begin=2, end=3} : f32[T,1]
%7 = kv_append %5, %6 {heads=1, layer=0} : f32[S,2,1,1]
%8 = attention %4, %7 {scale=1.0, heads=1, softcap=2.0} : f32[T,1])"),
             {1, 2.7615942F});
}

TEST_F(EvaluatorOpsTest, AttentionSurvivesLargeScores) {
  X({{1, 3e38F, 5}, {1, 3e38F, 7}});
  ExpectNear(Run(R"(%4 = slice %3 {begin=0, end=1} : f32[T,1]
%5 = slice %3 {begin=1, end=2} : f32[T,1]
%6 = slice %3 {begin=2, end=3} : f32[T,1]
%7 = kv_append %5, %6 {heads=1, layer=0} : f32[S,2,1,1]
%8 = attention %4, %7 {scale=1.0, heads=1} : f32[T,1])"),
             {5, 6});
}

TEST_F(EvaluatorOpsTest, AttentionHeadsShareCachedHeadsInGroups) {
  // q: 4 heads of 2; k, v: 2 heads of 2. Heads 0 and 1 read cached head 0, heads 2 and 3 head 1.
  X({{0, 0, 0, 0, 0, 0, 0, 0, /*k*/ 0, 0, 0, 0, /*v*/ 0, 6, 12, 30},
     {1, 0, 0, 1, 1, 0, 0, 0, /*k*/ kLn2, kLn5, kLn3, 0, /*v*/ 12, 0, 24, 60}});
  const Value y = Run(R"(%4 = slice %3 {begin=0, end=8} : f32[T,8]
%5 = slice %3 {begin=8, end=12} : f32[T,4]
%6 = slice %3 {begin=12, end=16} : f32[T,4]
%7 = kv_append %5, %6 {heads=2, layer=0} : f32[S,2,2,2]
%8 = attention %4, %7 {scale=1.0, heads=4} : f32[T,8])");
  // Weights of position 1 against 1 of position 0: head 0: 2, head 1: 5, head 2: 3, head 3: 1.
  // Head 0: (0 + 2·12)/3 = 8, 6/3 = 2. Head 1: 5·12/6 = 10, 6/6 = 1. Head 2: (12 + 72)/4 = 21,
  // (30 + 180)/4 = 52.5. Head 3: 18, 45.
  ExpectNear(y,
             {0, 6, 0, 6, 12, 30, 12, 30,  //
              8, 2, 10, 1, 21, 52.5, 18, 45},
             2e-5F);
}

TEST_F(EvaluatorOpsTest, CachesRoundWhatTheyKeep) {
  // F16 has 11 bits: 2049 lies between 2048 and 2050, and ties go to the even one.
  X({{2049, 1, 254, 1, 127}});
  const Value half = Run(R"(%4 = slice %3 {begin=0, end=2} : f32[T,2]
%5 = slice %3 {begin=2, end=4} : f32[T,2]
%6 = kv_append %4, %5 {format="f16", heads=1, layer=0} : f16[S,2,1,2])");
  EXPECT_THAT(half.floats, ElementsAre(2048, 1, 254, 1));
  // Blocks of 32 within a head, of (1, 127) and (254, 1): scales 1 and 2, so that the last
  // becomes round(0.5) · 2 = 2.
  const Value blocks = Run(R"(%4 = slice %3 {begin=3, end=5} : f32[T,2]
%5 = slice %3 {begin=2, end=4} : f32[T,2]
%6 = kv_append %4, %5 {format="q8_0", heads=1, layer=0} : q8_0[S,2,1,2])");
  EXPECT_THAT(blocks.floats, ElementsAre(1, 127, 254, 2));
  // Heads have blocks of their own; scales are F16.
  const Value heads = Run(R"(%4 = slice %3 {begin=3, end=5} : f32[T,2]
%5 = slice %3 {begin=2, end=4} : f32[T,2]
%6 = kv_append %4, %5 {format="q8_0", heads=2, layer=0} : q8_0[S,2,2,1])");
  ExpectNear(heads, {1, 127, 254, 1}, 5e-4F);
}

TEST_F(EvaluatorOpsTest, SelectRowsTakesTheLast) {
  X({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_THAT(Run("%4 = select_rows %3 : f32[L,2]", 1).floats, ElementsAre(5, 6));
  const Value two = Run("%4 = select_rows %3 : f32[L,2]", 2);
  EXPECT_THAT(two.floats, ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(two.dims, ElementsAre(2, 2));
  EXPECT_THAT(Run("%4 = select_rows %3 : f32[L,2]").floats, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(EvaluatorOpsTest, ArgmaxTakesTheLowestOfEquals) {
  const float inf = std::numeric_limits<float>::infinity();
  X({{1, 3, 3}, {-2, -3, -2}, {0, -0.0F, 0}, {-inf, -inf, -inf}, {-inf, 0, inf}});
  EXPECT_THAT(Run("%4 = argmax %3 : i32[T]").ints, ElementsAre(1, 0, 0, 0, 2));
}

TEST_F(EvaluatorOpsTest, HugeValuesAreErrors) {
  X({{1}});
  const absl::Status table =
      TryRun("%4 = rope_table {context=2147483647, inv_freq=[1.0, 1.0]} : f32[2147483647,4]")
          .status();
  EXPECT_EQ(table.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(table.message(), HasSubstr("f32[2147483647,4] is too large to evaluate"));
  Tensor("huge", "f32", {1000000, 100000000}, {});
  EXPECT_EQ(
      TryRun(R"(%4 = weight {tensor="huge", rows=[0, 1]} : f32[1,100000000])").status().code(),
      absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft::ir
