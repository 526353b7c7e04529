#include "frontends/families/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace weft {
namespace {

using testing::HasSubstr;

TEST(Family, IsFoundByEachOfItsNames) {
  for (const Family& family : AllFamilies()) {
    EXPECT_FALSE(family.model_types.empty()) << family.name;
    for (absl::string_view type : family.model_types) {
      EXPECT_EQ(FindFamilyByModelType(type), &family);
      EXPECT_THAT(KnownModelTypes(), HasSubstr(std::string(type)));
    }
    if (family.gguf_architecture.empty()) continue;
    EXPECT_EQ(FindFamilyByGgufArchitecture(family.gguf_architecture), &family);
    EXPECT_THAT(KnownGgufArchitectures(), HasSubstr(std::string(family.gguf_architecture)));
  }
  EXPECT_EQ(FindFamilyByModelType("mamba"), nullptr);
  EXPECT_EQ(FindFamilyByModelType(""), nullptr);
  EXPECT_EQ(FindFamilyByGgufArchitecture("mamba"), nullptr);
  EXPECT_EQ(FindFamilyByGgufArchitecture(""), nullptr);
}

TEST(Family, ListsAreSorted) {
  EXPECT_EQ(KnownModelTypes(),
            "gemma2, gemma3, gemma3_text, gpt2, llama, mistral, phi3, qwen2, qwen3");
  EXPECT_EQ(KnownGgufArchitectures(), "gemma2, gemma3, gpt2, llama, phi3, qwen2, qwen3");
}

TEST(Family, DescriptionsAreWhole) {
  std::set<absl::string_view> names;
  for (const Family& family : AllFamilies()) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    for (const TensorNames* tensors : {family.hf_names, family.gguf_names}) {
      ASSERT_NE(tensors, nullptr) << family.name;
      EXPECT_TRUE(!tensors->qkv.empty() || !tensors->q.empty()) << family.name;
      EXPECT_EQ(family.gated_ffn && tensors->gate_up.empty() && tensors->gate.empty(), false);
      EXPECT_EQ(family.qk_norms && tensors->q_norm.empty(), false) << family.name;
      EXPECT_EQ(family.post_norms && tensors->post_ffn_norm.empty(), false) << family.name;
      EXPECT_EQ(family.learned_positions && tensors->positions.empty(), false) << family.name;
    }
    EXPECT_EQ(family.window == WindowRule::kPattern, family.window_pattern > 0) << family.name;
  }
}

}  // namespace
}  // namespace weft
