#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

std::string Module(const std::string& head_dim, const std::string& columns,
                   const std::string& cached, const std::string& attributes) {
  return absl::StrCat(R"(module "m" {
    %0 = input {name="q"} : f32[T,)",
                      columns, R"(]
    %1 = input {name="k"} : f32[T,)",
                      cached, R"(]
    %2 = input {name="v"} : f32[T,)",
                      cached, R"(]
    %3 = kv_append %1, %2 {heads=2, layer=0, partition="token_heads", units=2} : f32[S,2,2,)",
                      head_dim, R"(]
    %4 = attention %0, %3 {heads=6, scale=0.3)",
                      attributes, R"(, partition="token_heads", units=6} : f32[T,)", columns, R"(]
    return %4
  })");
}

// exp is within 1e-7, and sums over at most 70 positions.
constexpr double kTolerance = 5e-6;

TEST(EmitAttention, GroupedHeads) { CheckKernels(Module("16", "96", "32", ""), {}, kTolerance); }
TEST(EmitAttention, HeadsThatAreNoMultipleOf16) {
  CheckKernels(Module("20", "120", "40", ""), {}, kTolerance);
}
TEST(EmitAttention, WideHeads) { CheckKernels(Module("144", "864", "288", ""), {}, kTolerance); }
TEST(EmitAttention, Window) {
  for (const char* window : {"1", "5", "16", "64", "66"}) {
    CheckKernels(Module("16", "96", "32", absl::StrCat(", window=", window)), {}, kTolerance);
  }
}
TEST(EmitAttention, Softcap) {
  CheckKernels(Module("32", "192", "64", ", softcap=2.0"), {}, kTolerance);
}

}  // namespace
}  // namespace weft::codegen
