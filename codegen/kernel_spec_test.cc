#include "codegen/kernel_spec.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace weft::codegen {
namespace {

// Two layers' steps that differ in nothing but place and name, and one that differs in its
// epilogue.
constexpr char kModule[] = R"(module "m" {
  tensor "w" : f32[16,32] {file=0, offset=0}
  %0 = input {name="x"} : f32[T,32]
  %1 = weight {tensor="w"} : f32[16,32]
  %2 = pack %1 {format="f32", layout="panels16", address=0} : f32[16,32]{panels16}
  %3 = matmul %0, %2 {partition="panels", units=1, address=64, stride=64} : f32[T,16] @ "layers.0"
  %4 = matmul %0, %2 {partition="panels", units=1, address=4096, stride=64} : f32[T,16] @ "layers.1"
  %5 = matmul %0, %2, %3 {epilogue=["residual"], partition="panels", units=1, address=64, stride=64} : f32[T,16] @ "layers.2"
  return %5
})";

class KernelSpecTest : public testing::Test {
 protected:
  KernelSpec Spec(int id, int64_t context = 8) const {
    return MakeSpec(module_, module_.node(id), context);
  }
  ir::Module module_ = *ir::ParseWithoutVerifying(kModule);
};

TEST_F(KernelSpecTest, PlaceAndNameAreNoPartOfIt) {
  EXPECT_EQ(Spec(3).Key(), Spec(4).Key());
  EXPECT_NE(Spec(3).Key(), Spec(5).Key());
  EXPECT_NE(Spec(3).Key(), Spec(3, 16).Key()) << "kernels over the cache depend on the context";
}

TEST_F(KernelSpecTest, StridesAre) {
  const std::string before = Spec(3).Key();
  module_.node(3).Set(ir::Attr::kStride, int64_t{128});
  EXPECT_NE(Spec(3).Key(), before);
}

TEST_F(KernelSpecTest, NamesSayWhatTheyCompute) {
  EXPECT_EQ(Spec(3).BaseName(), "matmul_f32_16x32");
  EXPECT_EQ(Spec(5).BaseName(), "matmul_f32_16x32_residual");
}

TEST_F(KernelSpecTest, RolesOfAMatmul) {
  const KernelSpec::MatmulRoles roles = Spec(5).Roles();
  EXPECT_EQ(roles.f32_input, 0);
  EXPECT_EQ(roles.quantized_input, -1);
  EXPECT_EQ(roles.weights, std::vector<int>{1});
  EXPECT_EQ(roles.bias, -1);
  EXPECT_EQ(roles.residual, 2);
  EXPECT_EQ(Spec(5).result_index(), 3);
}

}  // namespace
}  // namespace weft::codegen
