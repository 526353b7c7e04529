#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// Three heads, `width` columns together, of which 24 in each turn.
void Check(const std::string& width, const std::string& attribute) {
  CheckKernels(absl::StrCat(R"(module "m" {
    %0 = input {name="x"} : f32[T,)",
                            width, R"(]
    %1 = input {name="positions"} : i32[T]
    %2 = rope_table {context=100, inv_freq=[1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001, 0.0005, 0.0001], factor=1.25} : f32[100,24]
    %3 = rope %0, %1, %2 {heads=3, )",
                            attribute, R"(partition="token_heads", units=3} : f32[T,)", width, R"(]
    return %3
  })"),
               {}, 3e-7);
}

TEST(EmitRope, Halves) { Check("72", ""); }
TEST(EmitRope, Interleaved) { Check("72", "interleaved=true, "); }
TEST(EmitRope, FurtherColumnsPass) {
  Check("123", "");
  Check("123", "interleaved=true, ");
}

}  // namespace
}  // namespace weft::codegen
