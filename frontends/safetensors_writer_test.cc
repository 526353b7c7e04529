#include "frontends/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "frontends/model_test_util.h"
#include "frontends/safetensors.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(SafetensorsWriter, WrittenFilesReadBack) {
  const TempFolder folder;
  const std::vector<float> values = {1, -2, 3.5f, 0, 5, 6};
  const std::vector<uint8_t> raw = {1, 2, 3};
  const auto float_bytes =
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4);
  const std::vector<SafetensorsTensor> tensors = {{"raw", DataType::kU8, {3}, raw},
                                                  {"logits", DataType::kF32, {2, 3}, float_bytes}};
  ASSERT_TRUE(WriteSafetensors(folder.File("out.safetensors"), tensors).ok());
  const auto read = OpenSafetensorsFolder(folder.path());
  ASSERT_TRUE(read.ok()) << read.status();
  const TensorEntry* logits = read->Find("logits");
  ASSERT_NE(logits, nullptr);
  EXPECT_THAT(logits->dims, ElementsAre(2, 3));
  EXPECT_EQ(read->Bytes(*logits), float_bytes);
  EXPECT_EQ(read->Find("raw")->offset % 8, 0u);
}

// Byte for byte what the format's page says: length, header padded to 8, data.
TEST(SafetensorsWriter, PiecesMakeTheFileOfTheFormat) {
  const TempFolder folder;
  const std::vector<SafetensorsEntry> entries = {{"b", DataType::kBF16, {2, 1}},
                                                 {"a", DataType::kU8, {3}}};
  auto writer = SafetensorsWriter::Create(folder.File("m.safetensors"), entries);
  ASSERT_TRUE(writer.ok()) << writer.status();
  // Pieces need not end where tensors do.
  const std::vector<uint8_t> data = {1, 2, 3, 4, 5, 6, 7};
  ASSERT_TRUE((*writer)->Append(absl::MakeConstSpan(data).first(3)).ok());
  EXPECT_FALSE(std::filesystem::exists(folder.File("m.safetensors")));
  ASSERT_TRUE((*writer)->Append(absl::MakeConstSpan(data).subspan(3)).ok());
  ASSERT_TRUE((*writer)->Commit().ok());

  std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string expected(8, '\0');
  expected[0] = static_cast<char>(header.size());
  expected += header;
  expected.append(data.begin(), data.end());
  EXPECT_EQ(ReadAll(folder.File("m.safetensors")), expected);
}

TEST(SafetensorsWriter, WithoutCommitNothingStays) {
  const TempFolder folder;
  const std::vector<SafetensorsEntry> entries = {{"a", DataType::kU8, {3}}};
  ASSERT_TRUE(SafetensorsWriter::Create(folder.File("m.safetensors"), entries).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SafetensorsWriter, ReportsAFullDevice) {
  EXPECT_THAT(std::string(WriteSafetensors("/dev/full", {}).message()),
              HasSubstr("/dev/full: cannot write at byte 0: No space left"));
}

TEST(SafetensorsWriter, RefusesImpossibleDims) {
  const std::vector<SafetensorsEntry> entries = {{"a", DataType::kF32, {-1}}};
  EXPECT_FALSE(SafetensorsWriter::Create("/dev/null", entries).ok());
}

}  // namespace
}  // namespace weft
