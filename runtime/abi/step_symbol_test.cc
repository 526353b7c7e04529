#include "runtime/abi/step_symbol.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(StepSymbol, IndexNameAndKernel) {
  EXPECT_EQ(StepSymbol({.name = "model.layers.0.mlp.down_proj", .kernel = "matmul_q8_0_8x16"}, 12),
            "step12.model.layers.0.mlp.down_proj.matmul_q8_0_8x16");
  EXPECT_EQ(StepSymbol({.name = "", .kernel = "add_8"}, 0), "step0..add_8");
}

TEST(StepSymbol, OtherCharactersAreReplaced) {
  EXPECT_EQ(StepSymbol({.name = "a b\n\"c\"@\xc3\xa9-d", .kernel = "k"}, 1),
            "step1.a_b__c_____d.k");
}

}  // namespace
}  // namespace weft
