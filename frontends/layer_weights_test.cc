#include "frontends/layer_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/gguf.h"
#include "frontends/model_test_util.h"
#include "frontends/safetensors.h"
#include "frontends/safetensors_writer.h"
#include "ir/text.h"

namespace weft {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

class LayerWeights : public testing::Test {
 protected:
  // Files with F32 matrices of these names and dims; "i64…" as integers.
  void Open(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors) {
    const std::vector<uint8_t> zeros(1024);
    std::vector<SafetensorsTensor> list;
    for (const auto& [name, dims] : tensors) {
      const DataType type = name.substr(0, 3) == "i64" ? DataType::kI64 : DataType::kF32;
      const auto bytes = TensorBytes(type, dims);
      ASSERT_TRUE(bytes.ok());
      list.push_back({name, type, dims, absl::MakeConstSpan(zeros).subspan(0, *bytes)});
    }
    ASSERT_TRUE(WriteSafetensors(folder_.File("model.safetensors"), list).ok());
    auto files = OpenSafetensorsFolder(folder_.path());
    ASSERT_TRUE(files.ok()) << files.status();
    files_ = *std::move(files);
  }

  std::string Line(ir::NodeId id) const {
    return builder_.status().ok() ? ir::PrintNode(module_, id)
                                  : std::string(builder_.status().message());
  }

  WeightFinder Finder(const TensorNames& names = kLlamaTensorNames) {
    return {config_, names, files_, &builder_};
  }

  TempFolder folder_;
  TensorFiles files_;
  DecoderConfig config_{.source = "config.json"};
  ir::Module module_;
  ir::Builder builder_{&module_};
};

TEST_F(LayerWeights, LocationsDoNotDependOnTheFilesPrefix) {
  for (const std::string prefix :
       {"model.", "", "language_model.model.", "model.language_model."}) {
    Open({{prefix + "embed_tokens.weight", {8, 4}},
          {prefix + "layers.3.mlp.up_proj.weight", {6, 4}}});
    const WeightFinder finder = Finder();
    const auto stem = finder.InLayer(3, "mlp.up_proj");
    EXPECT_EQ(stem.tensor, prefix + "layers.3.mlp.up_proj");
    EXPECT_EQ(stem.location, "model.layers.3.mlp.up_proj");
    EXPECT_TRUE(finder.Has(stem));
    EXPECT_FALSE(finder.Has(finder.InLayer(2, "mlp.up_proj")));
    EXPECT_EQ(finder.InLayer(3, "").location, "model.layers.3");
    EXPECT_EQ(finder.Global("norm").tensor, prefix + "norm");
  }
}

TEST_F(LayerWeights, OutputHasPrefixesOfItsOwn) {
  Open({{"language_model.lm_head.weight", {8, 4}}});
  EXPECT_EQ(Finder().Output().tensor, "language_model.lm_head");
  EXPECT_EQ(Finder().Output().location, "lm_head");
  Open({{"x", {1}}});
  EXPECT_EQ(Finder().Output().tensor, "lm_head");
}

TEST_F(LayerWeights, NodesNameTensorRowsAndPart) {
  Open({{"wte.weight", {8, 4}}, {"h.0.c.weight", {4, 6}}, {"h.0.c.bias", {6}}});
  WeightFinder finder = Finder(kGpt2TensorNames);
  const auto stem = finder.InLayer(0, "c");
  const ExpectedDim out{6, "out"};
  const ExpectedDim in{4, "in"};
  EXPECT_THAT(Line(finder.Matrix(stem, out, in, nullptr, true)),
              HasSubstr("weight {tensor=\"h.0.c.weight\", transposed=true} : f32[6,4] @ "
                        "\"transformer.h.0.c.weight\""));
  const WeightFinder::Part part{"k", 2, 4};
  EXPECT_THAT(Line(finder.Matrix(stem, out, in, &part, true)),
              AllOf(HasSubstr("rows=[2, 4]"), HasSubstr(": f32[2,4]"),
                    EndsWith("@ \"transformer.h.0.c.k.weight\"")));
  EXPECT_THAT(Line(finder.Vector(stem, "bias", out, &part)),
              AllOf(HasSubstr("tensor=\"h.0.c.bias\""), HasSubstr(": f32[2]"),
                    EndsWith("@ \"transformer.h.0.c.k.bias\"")));
  EXPECT_EQ(module_.tensors.size(), 2U);
  EXPECT_EQ(module_.tensors[0].bytes, 96U);
}

TEST_F(LayerWeights, MissingTensorNamesItAndTheFile) {
  Open({{"model.embed_tokens.weight", {8, 4}}});
  WeightFinder finder = Finder();
  finder.Vector(finder.Global("norm"), "weight", {4, "hidden_size = 4"});
  EXPECT_THAT(std::string(builder_.status().message()),
              AllOf(HasSubstr("model.safetensors: tensor 'model.norm.weight' is missing"),
                    HasSubstr("config.json")));
}

TEST_F(LayerWeights, WrongShapeGivesBothAndTheFields) {
  Open({{"model.embed_tokens.weight", {8, 4}}});
  WeightFinder finder = Finder();
  finder.Matrix(finder.Global("embed_tokens"), {9, "vocab_size = 9"}, {4, "hidden_size = 4"});
  EXPECT_THAT(std::string(builder_.status().message()),
              HasSubstr("model.safetensors: tensor 'model.embed_tokens.weight' is [8, 4], expected "
                        "[9, 4] (vocab_size = 9, hidden_size = 4 in config.json)"));
}

TEST_F(LayerWeights, IntegersAreNoWeights) {
  Open({{"i64.weight", {4}}});
  WeightFinder finder = Finder();
  finder.Vector({"i64", "i64"}, "weight", {4, "four"});
  EXPECT_THAT(std::string(builder_.status().message()),
              HasSubstr("tensor 'i64.weight' holds i64, expected floats"));
}

// A part of a block has no bytes of its own.
TEST_F(LayerWeights, VectorsOfBlocksAreNotCut) {
  std::string file = GgufWriter().Tensor({"qkv.bias", {32}, std::vector<float>(32)}).Bytes();
  // Behind the name: how many dims, the dim, the type, which becomes that of Q8_0. A block has 34
  // bytes, the data a multiple of 32.
  const size_t type = file.find("qkv.bias") + 8 + 4 + 8;
  ASSERT_EQ(file.substr(type, 4), std::string(4, '\0'));
  file[type] = 8;
  file.resize(file.size() - 64);
  folder_.Write("m.gguf", file);
  auto opened = OpenGguf(folder_.File("m.gguf"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  files_ = std::move(opened->tensors);
  WeightFinder finder = Finder();
  const WeightFinder::Part part{"q", 0, 16};
  finder.Vector({"qkv", "qkv"}, "bias", {32, "three heads"}, &part);
  EXPECT_THAT(
      std::string(builder_.status().message()),
      HasSubstr("m.gguf: tensor 'qkv.bias' is a vector of q8_0, of which a part is needed"));
}

}  // namespace
}  // namespace weft
