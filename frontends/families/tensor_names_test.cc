#include "frontends/families/tensor_names.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

// A decoder has these whatever its family, and locations start with the first prefix and output.
TEST(TensorNames, NameWhatEveryDecoderHas) {
  for (const TensorNames* names : {&kLlamaTensorNames, &kPhi3TensorNames, &kGemmaTensorNames,
                                   &kGpt2TensorNames, &kGgufTensorNames, &kGgufPhi3TensorNames}) {
    for (absl::string_view name :
         {names->embedding, names->layer, names->final_norm, names->output.front(),
          names->attention_norm, names->attention_out, names->ffn_norm, names->down,
          names->attention, names->attention_residual, names->activation}) {
      EXPECT_FALSE(name.empty());
    }
    EXPECT_NE(names->qkv.empty() && names->q.empty(), true);
    EXPECT_NE(names->gate_up.empty() && names->up.empty(), true);
  }
}

TEST(TensorNames, GemmaNormsAreNotLlamas) {
  EXPECT_EQ(kLlamaTensorNames.ffn_norm, "post_attention_layernorm");
  EXPECT_EQ(kGemmaTensorNames.post_attention_norm, "post_attention_layernorm");
  EXPECT_EQ(kGemmaTensorNames.ffn_norm, "pre_feedforward_layernorm");
}

}  // namespace
}  // namespace weft
