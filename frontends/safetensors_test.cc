#include "frontends/safetensors.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "frontends/safetensors_writer.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A file image: length, header, `data_bytes` bytes of data.
std::vector<uint8_t> Image(const std::string& header, size_t data_bytes) {
  std::vector<uint8_t> image(8 + header.size() + data_bytes);
  const uint64_t length = header.size();
  std::memcpy(image.data(), &length, 8);
  std::memcpy(image.data() + 8, header.data(), header.size());
  return image;
}

std::string ErrorOf(const std::string& header, size_t data_bytes) {
  const auto entries = ParseSafetensorsHeader(Image(header, data_bytes), "f", 0);
  return entries.ok() ? "no error" : std::string(entries.status().message());
}

TEST(Safetensors, ReadsEntriesInDataOrder) {
  const std::string header =
      R"({"b":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"__metadata__":{"format":"pt"},)"
      R"("a":{"data_offsets":[0,24],"shape":[2,3],"dtype":"F32"},"e":{"dtype":"I64","shape":[4,0],"data_offsets":[24,24]}}   )";
  const auto entries = ParseSafetensorsHeader(Image(header, 26), "f", 3);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[0].type, DataType::kF32);
  EXPECT_THAT((*entries)[0].dims, ElementsAre(2, 3));
  EXPECT_EQ((*entries)[0].file, 3);
  EXPECT_EQ((*entries)[0].offset, 8 + header.size());
  EXPECT_EQ((*entries)[0].bytes, 24u);
  EXPECT_EQ((*entries)[1].name, "e");
  EXPECT_EQ((*entries)[1].bytes, 0u);
  EXPECT_EQ((*entries)[2].name, "b");
  EXPECT_EQ((*entries)[2].offset, 8 + header.size() + 24);
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"},"b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}})";
  const std::vector<uint8_t> image = Image(header, 10);
  ASSERT_TRUE(ParseSafetensorsHeader(image, "f", 0).ok());
  for (size_t size = 0; size < image.size(); ++size) {
    const std::vector<uint8_t> cut(image.begin(), image.begin() + static_cast<long>(size));
    EXPECT_FALSE(ParseSafetensorsHeader(cut, "f", 0).ok()) << size;
    // The same cut inside the header with a length that hides it.
    if (size > 8 && size < 8 + header.size()) {
      EXPECT_FALSE(ParseSafetensorsHeader(Image(header.substr(0, size - 8), 0), "f", 0).ok())
          << size;
    }
  }
}

TEST(Safetensors, EveryByteDamagedIsNoCrash) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::vector<uint8_t> image = Image(header, 8);
  for (size_t i = 0; i < image.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::vector<uint8_t> damaged = image;
      damaged[i] = static_cast<uint8_t>(value);
      (void)ParseSafetensorsHeader(damaged, "f", 0);
    }
  }
}

TEST(Safetensors, BadHeaders) {
  for (const char* start : {"", "[]", "3", " {}", "\xef\xbb\xbf{}", "\"a\""})
    EXPECT_THAT(ErrorOf(start, 0), HasSubstr("f: byte 8: the header does not begin with '{'"));
  EXPECT_EQ(ErrorOf("{}x", 0),
            "f: near byte 11: the header is not valid JSON (truncated or damaged file?)");
  EXPECT_THAT(ErrorOf(std::string("{}\0x", 4), 0), HasSubstr("near byte 10: the header is not"));
  EXPECT_THAT(ErrorOf("{\"a\":{\"dtype\":nul", 0), HasSubstr("tensor 'a' is not valid JSON"));
  EXPECT_THAT(ErrorOf(R"({"a":3})", 0), HasSubstr("tensor 'a' has a number where"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":{"a":{}}})", 0), HasSubstr("has an object where"));
  EXPECT_THAT(ErrorOf(R"({"a":{"dtype":"F32","shape":[1]}})", 4), HasSubstr("needs the fields"));
  EXPECT_THAT(ErrorOf(R"({"a":{"dtype":"F32","dtype":"F32"}})", 4), HasSubstr("'dtype' twice"));
  EXPECT_THAT(ErrorOf(R"({"a":{"color":"red"}})", 4), HasSubstr("unknown field 'color'"));
  EXPECT_THAT(ErrorOf(R"({"a":{"dtype":"F8_E4M3"}})", 4),
              HasSubstr("has dtype 'F8_E4M3', which Weft cannot read (it reads F32, F16"));
  EXPECT_THAT(ErrorOf(R"({"a":{"shape":[-1]}})", 4), HasSubstr("a negative number"));
  EXPECT_THAT(ErrorOf(R"({"a":{"shape":[1.5]}})", 4), HasSubstr("no integer"));
  EXPECT_THAT(ErrorOf(R"({"a":{"shape":[[1]]}})", 4), HasSubstr("an array"));
  EXPECT_THAT(ErrorOf(R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})", 4), HasSubstr("too many dims"));
  EXPECT_THAT(ErrorOf(R"({"a":{"shape":[18446744073709551615]}})", 4), HasSubstr("impossible dim"));
  EXPECT_THAT(ErrorOf(R"({"a":{"data_offsets":[0,1,2]}})", 4), HasSubstr("more than two"));
  EXPECT_THAT(ErrorOf(R"({"a":{"data_offsets":[0]}})", 4), HasSubstr("needs two"));
  for (const char* start : {"{\"a\":", "{\"__metadata__\":", "{\"a\":{\"shape\":"}) {
    for (const char* opening : {"[", "{\"a\":"}) {
      std::string deep = start;
      for (int i = 0; i < 100'000; ++i) deep += opening;
      EXPECT_THAT(ErrorOf(deep, 0), HasSubstr("f: near byte ")) << start << opening;
    }
  }
  EXPECT_THAT(ErrorOf("{\"" + std::string(1000, '\x01') + "\":{}}", 0),
              HasSubstr("not valid JSON"));
}

TEST(Safetensors, RangesMustFitAndCover) {
  const auto tensor = [](const std::string& name, const std::string& shape, uint64_t begin,
                         uint64_t end) {
    return absl::StrCat("\"", name, "\":{\"dtype\":\"F32\",\"shape\":[", shape,
                        "],\"data_offsets\":[", begin, ",", end, "]}");
  };
  EXPECT_EQ(ErrorOf("{" + tensor("a", "1", 0, 4) + "," + tensor("b", "1", 4, 8) + "}", 8),
            "no error");
  EXPECT_THAT(ErrorOf("{" + tensor("a", "2", 0, 8) + "}", 7),
              HasSubstr("ends at byte 8 of the data, but only 7 bytes"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "2", 0, 4) + "}", 8),
              HasSubstr("has 4 bytes, but shape [2] of f32 needs 8"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "1", 4, 0) + "}", 8), HasSubstr("before its start"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "2", 0, 8) + "," + tensor("b", "2", 4, 12) + "}", 12),
              HasSubstr("'b' starts at byte 4 of the data, inside the tensor before it"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "1", 0, 4) + "," + tensor("b", "1", 8, 12) + "}", 12),
              HasSubstr("after a hole"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "1", 0, 4) + "}", 8),
              HasSubstr("end at byte 4 of the data, but 8 bytes"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "1", 0, 4) + "," + tensor("a", "1", 4, 8) + "}", 8),
              HasSubstr("tensor 'a' stands in the header twice"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "4294967296,4294967296", 0, 4) + "}", 4),
              HasSubstr("impossible dims"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "4611686018427387904", 0, 0) + "}", 0),
              HasSubstr("impossible dims"));
  EXPECT_THAT(ErrorOf("{" + tensor("a", "0,4294967296,4294967296", 0, 0) + "}", 0),
              HasSubstr("impossible dims"));
}

TEST(Safetensors, HugeHeaderLength) {
  std::vector<uint8_t> image = Image("{}", 0);
  image[5] = 1;
  const auto entries = ParseSafetensorsHeader(image, "model.safetensors", 0);
  EXPECT_THAT(std::string(entries.status().message()), HasSubstr("beyond the format's limit"));
}

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "weft_safetensors_" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void WriteText(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  // One F32 tensor of one value.
  void WriteShard(const std::string& file, const std::string& tensor, float value) {
    const auto bytes = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(&value), sizeof(value));
    const std::vector<SafetensorsTensor> tensors = {{tensor, DataType::kF32, {1}, bytes}};
    ASSERT_TRUE(WriteSafetensors(folder_ + "/" + file, tensors).ok());
  }
  std::string OpenError() {
    const auto files = OpenSafetensorsFolder(folder_);
    return files.ok() ? "no error" : std::string(files.status().message());
  }

  std::string folder_;
};

TEST_F(FolderTest, OpensAModelOfTheOracle) {
  const auto model = OpenSafetensorsFolder("tests/oracle/tiny/llama-gqa");
  ASSERT_TRUE(model.ok()) << model.status();
  const TensorEntry* embedding = model->Find("model.embed_tokens.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->dims.size(), 2u);
  EXPECT_EQ(model->Bytes(*embedding).size(), embedding->bytes);
  EXPECT_EQ(model->Find("no.such"), nullptr);
}

TEST_F(FolderTest, Shards) {
  WriteShard("model-1.safetensors", "a", 1);
  WriteShard("model-2.safetensors", "b", 2);
  EXPECT_THAT(OpenError(), HasSubstr("no model.safetensors.index.json"));
  WriteText(
      "model.safetensors.index.json",
      R"({"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  const auto model = OpenSafetensorsFolder(folder_);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->files().size(), 2u);
  float b = 0;
  std::memcpy(&b, model->Bytes(*model->Find("b")).data(), 4);
  EXPECT_EQ(b, 2);
}

TEST_F(FolderTest, IndexThatDoesNotFit) {
  WriteShard("model-1.safetensors", "a", 1);
  WriteShard("model-2.safetensors", "b", 2);
  const auto index = [&](const std::string& text) {
    WriteText("model.safetensors.index.json", text);
    return OpenError();
  };
  EXPECT_THAT(index(R"({"weight_map":{"a":"model-1.safetensors","c":"model-3.safetensors"}})"),
              HasSubstr("index.json: the shard 'model-3.safetensors' of tensor 'c' is missing"));
  std::string many;
  for (int i = 0; i < 100'000; ++i)
    absl::StrAppend(&many, i == 0 ? "" : ",", "\"", i, "\":\"", i, "\"");
  EXPECT_THAT(index(absl::StrCat(R"({"weight_map":{)", many, "}}")),
              HasSubstr("names more than 99999 shards"));
  EXPECT_THAT(index(R"({"weight_map":{"a":"model-2.safetensors"}})"),
              HasSubstr("tensor 'a' is not in 'model-2.safetensors'"));
  EXPECT_THAT(index(R"({"weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors"}})"),
              HasSubstr("as the index says"));
  EXPECT_THAT(index(R"({"weight_map":{"a":"../x.safetensors"}})"),
              HasSubstr("not the name of a file beside"));
  EXPECT_THAT(index(R"({"weight_map":{"a":3}})"), HasSubstr("is not a string"));
  EXPECT_THAT(index(R"({"weight_map":{}})"), HasSubstr("names no tensors"));
  EXPECT_THAT(index(R"({"weight_map":)"), HasSubstr("index.json: weight_map is no valid JSON"));
  WriteShard("model-2.safetensors", "a", 2);
  EXPECT_THAT(index(R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})"),
              HasSubstr("tensor 'a' occurs a second time"));
}

TEST_F(FolderTest, FoldersWithoutWeights) {
  EXPECT_THAT(OpenError(), HasSubstr("holds no *.safetensors file (is it"));
  WriteText("pytorch_model.bin", "x");
  EXPECT_THAT(OpenError(), HasSubstr("convert its pytorch_model.bin"));
  WriteText("model.safetensors", "");
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors: is empty"));
  EXPECT_EQ(OpenSafetensorsFolder(folder_ + "/no").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace weft
