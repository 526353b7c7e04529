#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// A module with one op over two matrices of 45 columns and a vector: three vectors of 16 lanes, the
// last with a rest.
void Check(const std::string& op, double tolerance) {
  CheckKernels(absl::StrCat(R"(module "m" {
    tensor "w" : f32[45] {file=0, offset=0}
    %0 = input {name="a"} : f32[T,45]
    %1 = input {name="b"} : f32[T,45]
    %2 = weight {tensor="w"} : f32[45]
    %3 = pack %2 {format="f32", layout="rows"} : f32[45]
    %4 = )",
                            op, R"(, partition="tokens", units=1} : f32[T,45]
    return %4
  })"),
               {{"w", RandomTensor(45, 1)}}, tolerance);
}

// The table's ops take no attribute of their own here; `grain` stands in so that the list is never
// empty.
TEST(EmitElementwise, AddAndMul) {
  Check("add %0, %1 {grain=1", 1e-7);
  Check("add %0, %3 {grain=1", 1e-7);
  Check("mul %0, %1 {grain=1", 1e-7);
  Check("mul %0, %3 {grain=1", 1e-7);
}

TEST(EmitElementwise, ScaleAndSoftcap) {
  Check("scale %0 {value=0.125", 1e-7);
  Check("softcap %0 {cap=1.5", 1e-6);
}

TEST(EmitElementwise, Activations) {
  for (const char* fn : {"gelu", "gelu_tanh", "silu"}) {
    Check(absl::StrCat("activate %0 {fn=\"", fn, "\""), 1e-6);
    Check(absl::StrCat("gated_activate %0, %1 {fn=\"", fn, "\""), 1e-6);
  }
}

}  // namespace
}  // namespace weft::codegen
