// What each op's inference hook refuses. What it accepts is in op_examples.cc, whose types are
// written by hand.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op_examples.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft::ir {
namespace {

using testing::HasSubstr;

struct Refusal {
  Op op;
  const char* lines;  // behind those of op_examples.h; the last node is refused
  const char* message;
};

constexpr Refusal kRefusals[] = {
    {Op::kInput, R"(%6 = input {name="mask"} : i32[T])",
     "an input is tokens or positions, not 'mask'"},

    {Op::kWeight, R"(%6 = weight {tensor="lost"} : f32[1])", "no tensor 'lost' is declared"},
    {Op::kWeight, R"(%6 = weight {tensor="scalar"} : i64[1])", "the tensor has 0 dims"},
    {Op::kWeight, R"(%6 = weight {tensor="none"} : f32[0,3])", "the tensor has an empty dim"},
    {Op::kWeight, R"(%6 = weight {tensor="norm", transposed=true} : f32[64])",
     "only a matrix of unblocked elements can be transposed"},
    {Op::kWeight, R"(%6 = weight {tensor="blocks", transposed=true} : q8_0[64,96])",
     "only a matrix of unblocked elements can be transposed"},
    {Op::kWeight, R"(%6 = weight {tensor="square", rows=[1]} : f16[1,64])",
     "rows must be [begin, end) within 64"},
    {Op::kWeight, R"(%6 = weight {tensor="square", rows=[-1, 4]} : f16[5,64])", "rows must be"},
    {Op::kWeight, R"(%6 = weight {tensor="square", rows=[4, 4]} : f16[0,64])", "rows must be"},
    {Op::kWeight, R"(%6 = weight {tensor="square", rows=[0, 65]} : f16[65,64])", "rows must be"},
    {Op::kWeight,
     R"(%6 = weight {tensor="square", rows=[-9223372036854775808, 9223372036854775807]} : f16[1,64])",
     "rows must be"},
    {Op::kWeight, R"(%6 = weight {tensor="norm", format="f16"} : f32[64])",
     "format is f32 or q8_0, not 'f16'"},

    {Op::kRopeTable, R"(%6 = rope_table {context=4, inv_freq=[]} : f32[4,0])", "at least one pair"},
    {Op::kRopeTable, R"(%6 = rope_table {context=0, inv_freq=[1.0]} : f32[0,2])", "one position"},
    {Op::kRopeTable, R"(%6 = rope_table {context=2147483648, inv_freq=[1.0]} : f32[2147483648,2])",
     "positions are i32"},

    {Op::kConcat, R"(%6 = concat %4, %5 : f32[128])",
     "operand 1 is f16[64,64], which does not stack on f32[64]"},
    {Op::kConcat, R"(%6 = concat %2, %5 : bf16[74,64])", "different element types"},
    {Op::kConcat, R"(%6 = concat %5, %3 : f16[128,64])",
     "operand 1 is f32[T,64], which does not stack"},
    {Op::kConcat, R"(%6 = pack %5 {format="f32", layout="panels16"} : f32[64,64]{panels16}
                     %7 = concat %6, %6 : f32[128,64]{panels16})",
     "operand 0 is packed already"},

    {Op::kPack, R"(%6 = pack %5 {format="f16", layout="rows"} : f16[64,64])",
     "format is f32 or q8_0, not 'f16'"},
    {Op::kPack, R"(%6 = pack %5 {format="f32", layout="columns"} : f32[64,64])",
     "layout is rows, panels16 or panels16x2"},
    {Op::kPack, R"(%6 = pack %5 {format="q8_0", layout="rows"} : q8_0[64,64])",
     "q8_0 is packed in panels"},
    {Op::kPack, R"(%6 = weight {tensor="square", rows=[0, 48]} : f16[48,64]
                   %7 = pack %6 {format="f32", layout="panels16x2"} : f32[48,64]{panels16x2})",
     "panels16x2 holds two halves of whole panels, not 48 rows"},
    {Op::kPack, R"(%6 = pack %4 {format="f32", layout="panels16"} : f32[64]{panels16})",
     "a vector has no panels"},
    {Op::kPack, R"(%6 = pack %3 {format="f32", layout="panels16"} : f32[T,64]{panels16})",
     "does not stack"},
    {Op::kPack, R"(%6 = pack %5 {format="f32", layout="panels16"} : f32[64,64]{panels16}
                   %7 = pack %6 {format="f32", layout="panels16"} : f32[64,64]{panels16})",
     "operand 0 is packed already"},

    {Op::kEmbed, R"(%6 = embed %3, %2 : f32[T,64])",
     "operand 0 is f32[T,64], expected i32 of rank 1"},
    {Op::kEmbed, R"(%6 = embed %0, %4 : f32[T,64])", "operand 1 is f32[64], expected a matrix"},
    {Op::kEmbed, R"(%6 = embed %0, %3 : f32[T,64])", "operand 1 is f32[T,64], expected a matrix"},

    {Op::kRmsNorm, R"(%6 = rms_norm %0, %4 {eps=1e-05} : f32[T,64])",
     "operand 0 is i32[T], expected f32 of rank 2"},
    {Op::kRmsNorm, R"(%6 = pack %5 {format="f32", layout="rows"} : f32[64,64]
                      %7 = rms_norm %6, %4 {eps=1e-05} : f32[64,64])",
     "expected rows of tokens, [T,n] or [L,n]"},
    {Op::kRmsNorm, R"(%6 = rms_norm %3, %5 {eps=1e-05} : f32[T,64])",
     "operand 1 is f16[64,64], expected a vector of 64"},
    {Op::kRmsNorm, R"(%6 = rms_norm %3, %4 {eps=1e-05, group=16} : f32[T,64])",
     "expected a vector of 16"},
    {Op::kRmsNorm, R"(%6 = rms_norm %3, %4 {eps=1e-05, group=7} : f32[T,64])",
     "group=7 does not divide 64"},
    {Op::kRmsNorm, R"(%6 = rms_norm %3, %4 {eps=1e-05, group=0} : f32[T,64])",
     "group=0 does not divide 64"},

    {Op::kLayerNorm, R"(%6 = layer_norm %3, %4, %5 {eps=1e-05} : f32[T,64])",
     "operand 2 is f16[64,64], expected a vector of 64"},
    {Op::kLayerNorm, R"(%6 = layer_norm %3, %3, %4 {eps=1e-05} : f32[T,64])",
     "operand 1 is f32[T,64], expected a vector of 64"},

    {Op::kMatmul, R"(%6 = matmul %0, %5 : f32[T,64])", "expected activations, f32 or q8a"},
    {Op::kMatmul, R"(%6 = matmul %5, %5 : f32[64,64])", "expected activations, f32 or q8a"},
    {Op::kMatmul, R"(%6 = matmul %3, %4 : f32[T,64])", "operand 1 is f32[64], expected [n,64]"},
    {Op::kMatmul, R"(%6 = slice %3 {begin=0, end=32} : f32[T,32]
                     %7 = matmul %6, %5 : f32[T,64])",
     "operand 1 is f16[64,64], expected [n,32]"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {inputs=3} : f32[T,64])",
     "inputs=3 and weights=1 do not fit 2 operands"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {weights=0} : f32[T,64])", "weights=0"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {weights=9223372036854775807} : f32[T,64])",
     "weights=9223372036854775807"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %3 {inputs=2} : f32[T,64])",
     "operand 1 is f16[64,64], expected activations"},
    {Op::kMatmul, R"(%6 = matmul %3, %3, %5 {inputs=2} : f32[T,64])",
     "two inputs are the same activations as f32 and as q8a"},
    {Op::kMatmul, R"(%6 = quantize %3 : q8a[T,64]
                     %7 = matmul %6, %5 : f32[T,64])",
     "packed q8_0 weights go with q8a activations, all others with f32"},
    {Op::kMatmul, R"(%6 = pack %5 {format="q8_0", layout="panels16"} : q8_0[64,64]{panels16}
                     %7 = matmul %3, %6 : f32[T,64])",
     "packed q8_0 weights go with q8a activations, all others with f32"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %4 : f32[T,64])", "has 3 operands, of which 2 are used"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {epilogue=["bias"]} : f32[T,64])",
     "no operand for the epilogue's bias"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %3 {epilogue=["bias"]} : f32[T,64])",
     "operand 2 is f32[T,64], expected a vector of 64"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %4 {epilogue=["residual"]} : f32[T,64])",
     "the residual is f32[64], not f32[T,64]"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {epilogue=["relu"]} : f32[T,64])",
     "fn is gelu, gelu_tanh or silu, not 'relu'"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %5 {weights=2, epilogue=["gated_relu"]} : f32[T,64])",
     "fn is gelu, gelu_tanh or silu, not 'relu'"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {epilogue=["silu", "gated_silu"]} : f32[T,32])",
     "not 'gated_silu'"},
    {Op::kMatmul, R"(%6 = matmul %3, %5 {epilogue=["quantize", "silu"]} : f32[T,64])",
     "not 'quantize'"},
    {Op::kMatmul, R"(%6 = weight {tensor="square", rows=[0, 3]} : f16[3,64]
                     %7 = matmul %3, %6 {epilogue=["gated_silu"]} : f32[T,1])",
     "gate and up together have 3 rows, an odd number"},
    {Op::kMatmul, R"(%6 = matmul %3, %5, %3 {epilogue=["gated_silu", "residual"]} : f32[T,32])",
     "the residual is f32[T,64], not f32[T,32]"},
    {Op::kMatmul, R"(%6 = pack %5 {format="f32", layout="panels16x2"} : f32[64,64]{panels16x2}
                     %7 = matmul %3, %6 : f32[T,64])",
     "panels16x2 is for the one weight of a matmul with a gated epilogue"},
    {Op::kMatmul, R"(%6 = pack %5 {format="f32", layout="panels16x2"} : f32[64,64]{panels16x2}
                     %7 = matmul %3, %6, %6 {weights=2, epilogue=["gated_silu"]} : f32[T,64])",
     "panels16x2 is for the one weight of a matmul with a gated epilogue"},

    {Op::kQuantize, R"(%6 = quantize %4 : q8a[64])",
     "operand 0 is f32[64], expected f32 of rank 2"},
    {Op::kQuantize, R"(%6 = quantize %3 : q8a[T,64]
                       %7 = quantize %6 : q8a[T,64])",
     "operand 0 is q8a[T,64], expected f32 of rank 2"},

    {Op::kAdd, R"(%6 = slice %3 {begin=0, end=32} : f32[T,32]
                  %7 = add %3, %6 : f32[T,64])",
     "operand 1 is f32[T,32], expected a vector of 64"},
    {Op::kAdd, R"(%6 = add %4, %4 : f32[64])", "operand 0 is f32[64], expected f32 of rank 2"},
    {Op::kMul, R"(%6 = select_rows %3 : f32[L,64]
                  %7 = mul %3, %6 : f32[T,64])",
     "operand 1 is f32[L,64], expected a vector of 64"},
    {Op::kScale, R"(%6 = scale %1 {value=2.0} : i32[T])",
     "operand 0 is i32[T], expected f32 of rank 2"},
    {Op::kActivate, R"(%6 = activate %3 {fn="bias"} : f32[T,64])",
     "fn is gelu, gelu_tanh or silu, not 'bias'"},
    {Op::kActivate, R"(%6 = activate %4 {fn="silu"} : f32[64])", "expected f32 of rank 2"},
    {Op::kGatedActivate, R"(%6 = gated_activate %3, %4 {fn="silu"} : f32[T,64])",
     "up is f32[64], gate f32[T,64]"},
    {Op::kGatedActivate, R"(%6 = gated_activate %3, %3 {fn=""} : f32[T,64])", "not ''"},
    {Op::kSoftcap, R"(%6 = softcap %3 {cap=0.0} : f32[T,64])", "cap must be above 0"},
    {Op::kSoftcap, R"(%6 = softcap %3 {cap=nan} : f32[T,64])", "cap must be above 0"},

    {Op::kSlice, R"(%6 = slice %3 {begin=0, end=65} : f32[T,65])",
     "columns [0, 65) are not within f32[T,64]"},
    {Op::kSlice, R"(%6 = slice %3 {begin=-1, end=8} : f32[T,9])", "columns [-1, 8)"},
    {Op::kSlice, R"(%6 = slice %3 {begin=8, end=8} : f32[T,0])", "columns [8, 8)"},

    {Op::kRope, R"(%6 = rope_table {context=8, inv_freq=[1.0]} : f32[8,2]
                   %7 = rope %3, %1, %6 {heads=5} : f32[T,64])",
     "heads=5 does not divide 64"},
    {Op::kRope, R"(%6 = rope_table {context=8, inv_freq=[1.0, 1.0]} : f32[8,4]
                   %7 = rope %3, %1, %6 {heads=32} : f32[T,64])",
     "the table rotates 4 columns of a head of 2"},
    {Op::kRope, R"(%6 = rope %3, %1, %3 {heads=1} : f32[T,64])",
     "operand 2 is f32[T,64], expected a rope_table"},
    {Op::kRope, R"(%6 = rope %3, %4, %3 {heads=1} : f32[T,64])",
     "operand 1 is f32[64], expected i32 of rank 1"},
    {Op::kRope, R"(%6 = rope_table {context=8, inv_freq=[1.0]} : f32[8,2]
                   %7 = select_rows %3 : f32[L,64]
                   %8 = rope %7, %1, %6 {heads=1} : f32[L,64])",
     "positions are i32[T], the rows f32[L,64]"},
    {Op::kRope, R"(%6 = rope %3, %1, %5 {heads=1} : f32[T,64])",
     "operand 2 is f16[64,64], expected f32 of rank 2"},

    {Op::kKvAppend, R"(%6 = slice %3 {begin=0, end=32} : f32[T,32]
                       %7 = kv_append %3, %6 {heads=2, layer=0} : f32[S,2,2,32])",
     "keys are f32[T,64], values f32[T,32]"},
    {Op::kKvAppend, R"(%6 = kv_append %3, %3 {heads=3, layer=0} : f32[S,2,3,21])",
     "heads=3 does not divide 64"},
    {Op::kKvAppend, R"(%6 = kv_append %3, %3 {heads=2, layer=-1} : f32[S,2,2,32])",
     "layers count from 0"},
    {Op::kKvAppend, R"(%6 = select_rows %3 : f32[L,64]
                       %7 = kv_append %6, %6 {heads=2, layer=0} : f32[S,2,2,32])",
     "expected rows of all tokens, [T,n]"},

    {Op::kKvAppend, R"(%6 = kv_append %3, %3 {heads=2, layer=0, format="bf16"} : bf16[S,2,2,32])",
     "a cache is f32, f16 or q8_0, not 'bf16'"},

    {Op::kAttention, R"(%6 = attention %3, %3 {scale=1.0, heads=1} : f32[T,64])",
     "operand 1 is f32[T,64], expected a cache"},
    {Op::kAttention, R"(%6 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                        %7 = attention %3, %6 {scale=1.0, heads=2} : f32[T,64])",
     "2 heads of 32 do not go with a cache of f32[S,2,4,16]"},
    {Op::kAttention, R"(%6 = slice %3 {begin=0, end=48} : f32[T,48]
                        %7 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                        %8 = attention %6, %7 {scale=1.0, heads=3} : f32[T,48])",
     "3 heads of 16 do not go with a cache"},
    {Op::kAttention, R"(%6 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                        %7 = attention %3, %6 {scale=1.0, heads=4, window=0} : f32[T,64])",
     "a window holds at least one position"},
    {Op::kAttention, R"(%6 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                        %7 = attention %3, %6 {scale=1.0, heads=4, softcap=-1.0} : f32[T,64])",
     "softcap must be above 0"},
    {Op::kAttention, R"(%6 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                        %7 = select_rows %3 : f32[L,64]
                        %8 = attention %7, %6 {scale=1.0, heads=4} : f32[L,64])",
     "expected rows of all tokens, [T,n]"},

    {Op::kSelectRows, R"(%6 = select_rows %0 : f32[L,64])",
     "operand 0 is i32[T], expected f32 of rank 2"},
    {Op::kArgmax, R"(%6 = argmax %5 : i32[64])", "operand 0 is f16[64,64], expected f32 of rank 2"},
};

TEST(InferTest, RefusesWhatDoesNotFit) {
  for (const Refusal& refusal : kRefusals) {
    SCOPED_TRACE(refusal.lines);
    const absl::StatusOr<Module> module = ParseWithoutVerifying(ExampleModule(refusal.lines));
    ASSERT_TRUE(module.ok()) << module.status();
    const NodeId last = module->order().back();
    EXPECT_EQ(module->node(last).op, refusal.op);
    EXPECT_THAT(InferType(*module, module->node(last)).status().message(),
                HasSubstr(refusal.message));
    NodeId culprit = -1;
    EXPECT_THAT(Verify(*module, &culprit).message(), HasSubstr(refusal.message));
    EXPECT_EQ(culprit, last);
  }
}

TEST(InferTest, EveryOpRefusesSomething) {
  std::set<Op> refusing;
  for (const Refusal& refusal : kRefusals) refusing.insert(refusal.op);
  for (const OpInfo& info : AllOps()) EXPECT_TRUE(refusing.contains(info.op)) << info.name;
}

TEST(InferTest, CutsNoVectorOfBlocks) {
  const absl::StatusOr<Module> module = Parse(R"(module "m" {
    tensor "v" : q8_0[64] {file=0, offset=0}
    %0 = weight {tensor="v", rows=[0, 32]} : q8_0[32]
    return %0
  })");
  EXPECT_THAT(module.status().message(), HasSubstr("a vector of blocks cannot be cut"));
}

// Doubling a weight again and again stays below the bound, or sizes would overflow.
TEST(InferTest, BoundsWhatIsStacked) {
  const auto error = [](int64_t rows) {
    const int64_t most = int64_t{1} << 42;  // of 64: 2^48 values
    return std::string(
        Parse(absl::StrCat("module \"m\" { tensor \"a\" : f16[", most - 8,
                           ",64] {file=0, offset=0} tensor \"b\" : f16[", rows,
                           ",64] {file=1, offset=0}\n%0 = input {name=\"tokens\"} : i32[T]\n",
                           "%1 = weight {tensor=\"a\"} : f16[", most - 8,
                           ",64]\n%2 = weight {tensor=\"b\"} : f16[", rows,
                           ",64]\n%3 = concat %1, %2 : f16[", most - 8 + rows,
                           ",64]\n%4 = embed %0, %3 : f32[T,64]\nreturn %4 }"))
            .status()
            .message());
  };
  EXPECT_EQ(error(8), "");
  EXPECT_THAT(error(9), HasSubstr("stack to more than 281474976710656 values"));
}

}  // namespace
}  // namespace weft::ir
