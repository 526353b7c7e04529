#include "frontends/file_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "frontends/model_test_util.h"
#include "frontends/safetensors.h"
#include "frontends/safetensors_writer.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FileWeightsTest : public testing::Test {
 protected:
  // "w": F32 [2, 3]; "ids": I64 [1].
  void SetUp() override {
    const float values[] = {1, 2, 3, 4, 5, 6};
    const int64_t id = 7;
    const auto bytes = [](const auto& data) {
      return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(&data), sizeof(data));
    };
    const SafetensorsTensor tensors[] = {{"w", DataType::kF32, {2, 3}, bytes(values)},
                                         {"ids", DataType::kI64, {1}, bytes(id)}};
    ASSERT_TRUE(WriteSafetensors(folder_.File("model.safetensors"), tensors).ok());
    auto files = OpenSafetensorsFolder(folder_.path());
    ASSERT_TRUE(files.ok()) << files.status();
    weights_ = std::make_unique<FileWeights>(*std::move(files));
  }

  TempFolder folder_;
  std::unique_ptr<FileWeights> weights_;
  const ir::SourceTensor w_{.name = "w", .dtype = DataType::kF32, .dims = {2, 3}};
};

TEST_F(FileWeightsTest, ReadsAnyRange) {
  std::vector<float> values(3);
  ASSERT_TRUE(weights_->Read(w_, 2, absl::MakeSpan(values)).ok());
  EXPECT_THAT(values, ElementsAre(3, 4, 5));
  ASSERT_TRUE(weights_->Read(w_, 6, {}).ok());
  weights_->Release(w_);
  ASSERT_TRUE(weights_->Read(w_, 0, absl::MakeSpan(values)).ok());
  EXPECT_THAT(values, ElementsAre(1, 2, 3));
}

TEST_F(FileWeightsTest, GivesTheBytesOfTheFile) {
  const auto raw = weights_->Raw(w_);
  ASSERT_TRUE(raw.ok());
  ASSERT_EQ(raw->size(), 24U);
  float last = 0;
  std::memcpy(&last, raw->data() + 20, sizeof(last));
  EXPECT_EQ(last, 6);
}

TEST_F(FileWeightsTest, AnotherModelsTensorsAreErrors) {
  std::vector<float> values(1);
  const auto error = [&](const ir::SourceTensor& tensor) {
    EXPECT_FALSE(weights_->Raw(tensor).ok());
    weights_->Release(tensor);
    return std::string(weights_->Read(tensor, 0, absl::MakeSpan(values)).message());
  };
  EXPECT_THAT(error({.name = "v", .dims = {2, 3}}), HasSubstr("hold no tensor 'v' of f32 [2, 3]"));
  EXPECT_THAT(error({.name = "w", .dims = {3, 2}}), HasSubstr("hold no tensor 'w' of f32 [3, 2]"));
  EXPECT_THAT(error({.name = "w", .dtype = DataType::kF16, .dims = {2, 3}}), HasSubstr("of f16"));
}

TEST_F(FileWeightsTest, IntegersAreNoWeights) {
  std::vector<float> values(1);
  const ir::SourceTensor ids{.name = "ids", .dtype = DataType::kI64, .dims = {1}};
  EXPECT_THAT(std::string(weights_->Read(ids, 0, absl::MakeSpan(values)).message()),
              HasSubstr("'ids' holds i64, which are no weights"));
}

}  // namespace
}  // namespace weft
