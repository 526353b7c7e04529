#include "ir/op_examples.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "runtime/abi/check.h"

namespace weft::ir {
namespace {

constexpr absl::string_view kCommon = R"(module "example" {
  tensor "table" : bf16[10,64] {file=0, offset=0}
  tensor "norm" : f32[64] {file=0, offset=1280}
  tensor "square" : f16[64,64] {file=1, offset=18446744073709543423}
  tensor "blocks" : q8_0[96,64] {file=2147483647, offset=64}
  tensor "scalar" : i64[] {file=0, offset=1536}
  tensor "none" : f32[0,3] {file=0, offset=1544}
  %0 = input {name="tokens"} : i32[T]
  %1 = input {name="positions"} : i32[T]
  %2 = weight {tensor="table"} : bf16[10,64] @ "embed_tokens"
  %3 = embed %0, %2 : f32[T,64] @ "embed_tokens"
  %4 = weight {tensor="norm"} : f32[64] @ "norm"
  %5 = weight {tensor="square"} : f16[64,64] @ "square"
)";

// The lines of an example after the common ones; its last node is of the op. No `default`: an op
// without an example does not compile.
absl::string_view LinesOf(Op op) {
  switch (op) {
    case Op::kInput:
      return R"(%6 = input {name="positions"} : i32[T] @ "again")";
    case Op::kWeight:
      return R"(%6 = weight {tensor="blocks"} : q8_0[96,64]
                %7 = weight {tensor="square", rows=[8, 24], transposed=true, format="q8_0", why="64 ≥ 8"} : f16[16,64])";
    case Op::kRopeTable:
      return R"(%6 = rope_table {context=4096, inv_freq=[1.0, 0.1, 3.1622776e-10]} : f32[4096,6]
                %7 = rope_table {context=1, inv_freq=[0.5], factor=1.25} : f32[1,2] @ "rotary")";
    case Op::kConcat:
      return R"(%6 = concat %4, %4 : f32[128]
                %7 = concat %5, %5, %5 : f16[192,64])";
    case Op::kPack:
      return R"(%6 = weight {tensor="blocks"} : q8_0[96,64]
                %7 = pack %4 {format="f32", layout="rows"} : f32[64]
                %8 = pack %5 {format="f32", layout="panels16"} : f32[64,64]{panels16}
                %9 = pack %6, %5 {format="q8_0", layout="panels16"} : q8_0[160,64]{panels16} @ "up"
                %10 = pack %5, %6 {format="q8_0", layout="panels16x2"} : q8_0[160,64]{panels16x2})";
    case Op::kEmbed:
      return R"(%6 = embed %0, %2 {scale=8.0} : f32[T,64])";
    case Op::kRmsNorm:
      return R"(%6 = weight {tensor="norm", rows=[0, 16]} : f32[16]
                %7 = rms_norm %3, %4 {eps=1e-06, offset=1.0} : f32[T,64]
                %8 = rms_norm %7, %6 {eps=1e-05, group=16} : f32[T,64] @ "q_norm")";
    case Op::kLayerNorm:
      return R"(%6 = layer_norm %3, %4, %4 {eps=1e-05} : f32[T,64])";
    case Op::kMatmul:
      return R"(%6 = weight {tensor="blocks"} : q8_0[96,64]
                %7 = pack %6 {format="q8_0", layout="panels16"} : q8_0[96,64]{panels16}
                %8 = pack %5 {format="f32", layout="panels16"} : f32[64,64]{panels16}
                %9 = quantize %3 : q8a[T,64]
                %10 = matmul %3, %6 : f32[T,96]
                %11 = matmul %9, %7 : f32[T,96]
                %12 = matmul %3, %5, %4, %3 {epilogue=["bias", "gelu_tanh", "residual"]} : f32[T,64]
                %13 = matmul %3, %9, %7, %8 {weights=2, inputs=2} : f32[T,160] @ "qkv"
                %14 = pack %5, %5 {format="q8_0", layout="panels16x2"} : q8_0[128,64]{panels16x2}
                %15 = matmul %9, %14 {epilogue=["gated_silu", "quantize"]} : q8a[T,64]
                %16 = matmul %3, %5, %5, %4 {weights=2, epilogue=["gated_gelu", "bias"]} : f32[T,64])";
    case Op::kQuantize:
      return R"(%6 = quantize %3 : q8a[T,64])";
    case Op::kAdd:
      return R"(%6 = add %3, %4 : f32[T,64]
                %7 = add %6, %3 : f32[T,64])";
    case Op::kMul:
      return R"(%6 = mul %3, %4 : f32[T,64]
                %7 = mul %6, %3 : f32[T,64])";
    case Op::kScale:
      return R"(%6 = scale %3 {value=0.125} : f32[T,64])";
    case Op::kActivate:
      return R"(%6 = activate %3 {fn="gelu"} : f32[T,64]
                %7 = activate %6 {fn="silu"} : f32[T,64])";
    case Op::kGatedActivate:
      return R"(%6 = gated_activate %3, %3 {fn="gelu_tanh"} : f32[T,64])";
    case Op::kSoftcap:
      return R"(%6 = softcap %3 {cap=30.0} : f32[T,64])";
    case Op::kSlice:
      return R"(%6 = slice %3 {begin=16, end=64} : f32[T,48])";
    case Op::kRope:
      return R"(%6 = rope_table {context=32, inv_freq=[1.0, 0.25]} : f32[32,4]
                %7 = rope %3, %1, %6 {heads=4, interleaved=true} : f32[T,64]
                %8 = rope %7, %1, %6 {heads=16} : f32[T,64] @ "rotary")";
    case Op::kKvAppend:
      return R"(%6 = kv_append %3, %3 {heads=2, layer=7} : f32[S,2,2,32]
                %7 = kv_append %3, %3 {format="f16", why="--kv f16", heads=2, layer=8} : f16[S,2,2,32]
                %8 = kv_append %3, %3 {format="q8_0", heads=4, layer=9} : q8_0[S,2,4,16])";
    case Op::kAttention:
      return R"(%6 = kv_append %3, %3 {heads=4, layer=0} : f32[S,2,4,16]
                %7 = attention %3, %6 {scale=0.25, heads=4} : f32[T,64]
                %8 = kv_append %3, %3 {format="q8_0", heads=4, layer=1} : q8_0[S,2,4,16]
                %9 = attention %7, %8 {scale=0.25, heads=4, window=512, softcap=50.0} : f32[T,64])";
    case Op::kSelectRows:
      return R"(%6 = select_rows %3 : f32[L,64])";
    case Op::kArgmax:
      return R"(%6 = select_rows %3 : f32[L,64]
                %7 = argmax %6 {partition="tokens", units=1, grain=1, space="arena", address=64, stride=256, bytes=64, view=false} : i32[L])";
  }
  WEFT_CHECK(false);
}

}  // namespace

std::string ExampleOf(Op op) { return ExampleModule(LinesOf(op)); }

std::string ExampleModule(absl::string_view lines) {
  std::string text(kCommon);
  absl::string_view last;
  for (absl::string_view line : absl::StrSplit(lines, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    absl::StrAppend(&text, "  ", line, "\n");
    last = line.substr(0, line.find(' '));
  }
  return absl::StrCat(text, "  return ", last, ", %3\n}\n");
}

}  // namespace weft::ir
