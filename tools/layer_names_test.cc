#include "tools/layer_names.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

TEST(LayerNamesTest, TakesLocationsApart) {
  const std::string in_layer = "model.layers.13.mlp.down_proj";
  EXPECT_EQ(WithoutLayer(in_layer), "model.layers.*.mlp.down_proj");
  EXPECT_EQ(WithinLayer(in_layer), "mlp.down_proj");
  EXPECT_EQ(LayerOf(in_layer), 13);
  EXPECT_EQ(WithinLayer("model.layers.13"), "");
  EXPECT_EQ(WithinLayer("model.embed_tokens"), "model.embed_tokens");
  EXPECT_EQ(LayerOf("model.layers2.norm"), -1);
}

}  // namespace
}  // namespace weft::tools
