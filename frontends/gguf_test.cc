#include "frontends/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Writes the format as its specification has it.
class Builder {
 public:
  template <typename T>
  Builder& Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  Builder& Text(const std::string& text) {
    Put<uint64_t>(text.size());
    bytes_.append(text);
    return *this;
  }
  Builder& Start(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    for (const char c : {'G', 'G', 'U', 'F'}) Put(c);
    return Put(version).Put(tensors).Put(keys);
  }
  Builder& Key(const std::string& key, GgufType type) {
    return Text(key).Put(static_cast<uint32_t>(type));
  }
  Builder& Array(const std::string& key, GgufType element, uint64_t count) {
    return Key(key, GgufType::kArray).Put(static_cast<uint32_t>(element)).Put(count);
  }
  // Dims innermost first, as in files.
  Builder& Tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                  uint64_t offset) {
    Text(name).Put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) Put(dim);
    return Put(type).Put(offset);
  }
  Builder& Align(size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  Builder& Zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  absl::Span<const uint8_t> bytes() const {
    return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size());
  }

 private:
  std::string bytes_;
};

constexpr uint32_t kGgmlF32 = 0;
constexpr uint32_t kGgmlQ8_0 = 8;

std::string ErrorOf(const Builder& builder) {
  const auto header = ParseGguf(builder.bytes(), "m.gguf");
  return header.ok() ? "no error" : std::string(header.status().message());
}

Builder Sample(uint32_t version = 3) {
  Builder b;
  b.Start(2, 4, version);
  b.Key("general.architecture", GgufType::kString).Text("llama");
  b.Key("llama.block_count", GgufType::kU32).Put<uint32_t>(30);
  b.Array("tokens", GgufType::kString, 2).Text("a").Text("bc");
  b.Array("nested", GgufType::kArray, 2);
  b.Put(static_cast<uint32_t>(GgufType::kU16)).Put<uint64_t>(1).Put<uint16_t>(5);
  b.Put(static_cast<uint32_t>(GgufType::kString)).Put<uint64_t>(1).Text("x");
  b.Tensor("w", {64, 3}, kGgmlQ8_0, 0);
  b.Tensor("norm", {5}, kGgmlF32, 224);
  return b.Align(32).Zeros(224 + 20);
}

TEST(Gguf, ReadsVersions2And3) {
  for (const uint32_t version : {2u, 3u}) {
    const Builder sample = Sample(version);
    const auto header = ParseGguf(sample.bytes(), "m.gguf");
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->version, version);
    EXPECT_EQ(*header->metadata.GetString("general.architecture"), "llama");
    EXPECT_EQ(*header->metadata.GetU32("llama.block_count"), 30u);
    EXPECT_THAT(*header->metadata.GetStringArray("tokens"), ElementsAre("a", "bc"));
    EXPECT_EQ(header->metadata.Find("nested")->count, 2u);
    const size_t data_start = sample.bytes().size() - 244;
    ASSERT_EQ(header->tensors.size(), 2u);
    EXPECT_EQ(header->tensors[0].name, "w");
    EXPECT_EQ(header->tensors[0].type, DataType::kQ8_0);
    EXPECT_THAT(header->tensors[0].dims, ElementsAre(3, 64));
    EXPECT_EQ(header->tensors[0].bytes, 3u * 2 * 34);
    EXPECT_EQ(header->tensors[0].offset, data_start);
    EXPECT_EQ(header->tensors[1].offset, data_start + 224);
    EXPECT_EQ(header->tensors[1].bytes, 20u);
  }
}

TEST(Gguf, EveryTruncationIsAnError) {
  const Builder sample = Sample();
  for (size_t size = 0; size < sample.bytes().size(); ++size) {
    const std::vector<uint8_t> cut(sample.bytes().begin(),
                                   sample.bytes().begin() + static_cast<long>(size));
    const auto header = ParseGguf(cut, "m.gguf");
    EXPECT_FALSE(header.ok()) << size;
    EXPECT_THAT(std::string(header.status().message()), HasSubstr("m.gguf: ")) << size;
  }
}

TEST(Gguf, EveryByteDamagedIsNoCrash) {
  const Builder sample = Sample();
  for (size_t i = 0; i < sample.bytes().size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::vector<uint8_t> damaged(sample.bytes().begin(), sample.bytes().end());
      damaged[i] = static_cast<uint8_t>(value);
      (void)ParseGguf(damaged, "m.gguf");
    }
  }
}

TEST(Gguf, VocabularyOnlyFilesNeedNoData) {
  Builder b;
  b.Start(0, 1).Key("a", GgufType::kBool).Put<uint8_t>(1);
  EXPECT_EQ(ErrorOf(b), "no error");
}

TEST(Gguf, WrongMagicAndVersions) {
  const auto error = [](const std::string& text) {
    return std::string(
        ParseGguf(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size()),
                  "m.gguf")
            .status()
            .message());
  };
  EXPECT_THAT(error(""), HasSubstr("is empty"));
  EXPECT_THAT(error("PK\x03\x04"), HasSubstr("not a GGUF file"));
  EXPECT_THAT(error("GGU"), HasSubstr("not a GGUF file"));
  EXPECT_THAT(error("tjgg........"), HasSubstr("before GGUF"));
  EXPECT_THAT(error("version https://git-lfs.github.com/spec/v1\noid"), HasSubstr("git lfs pull"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 0, 1)),
              HasSubstr("version 1 is not known (2 and 3 are); convert"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 0, 4)), HasSubstr("version 4 is not known"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 0, 0)), HasSubstr("version 0 is not known"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 0, 0x03000000)), HasSubstr("big-endian"));
}

TEST(Gguf, HugeCounts) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_THAT(ErrorOf(Builder().Start(kMax, 0)),
              HasSubstr("the tensor count at byte 8 is 18446744073709551615, but only"));
  EXPECT_THAT(ErrorOf(Builder().Start(1, 0)), HasSubstr("only 8 bytes follow"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, kMax)),
              HasSubstr("the key count at byte 16 is 18446744073709551615"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 70'000).Zeros(2'000'000)),
              HasSubstr("more than the 65536 that are supported"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 1).Put<uint64_t>(kMax).Zeros(100)),
              HasSubstr("claims a length of"));
  for (const GgufType element :
       {GgufType::kU8, GgufType::kU64, GgufType::kString, GgufType::kArray}) {
    for (const uint64_t count : {kMax, kMax / 8 + 1, uint64_t{1} << 61, uint64_t{101}}) {
      EXPECT_THAT(ErrorOf(Builder().Start(0, 1).Array("k", element, count).Zeros(100)),
                  HasSubstr("but only 100 bytes follow"))
          << count;
    }
  }
  EXPECT_THAT(
      ErrorOf(Builder().Start(0, 1).Array("k", GgufType::kString, 1).Put<uint64_t>(kMax).Zeros(50)),
      HasSubstr("claims a length of"));
  EXPECT_THAT(ErrorOf(Builder()
                          .Start(0, 1)
                          .Array("k", GgufType::kArray, 1)
                          .Put<uint32_t>(0)
                          .Put(kMax)
                          .Zeros(50)),
              HasSubstr("but only 50"));
}

TEST(Gguf, BadKeysAndValues) {
  EXPECT_THAT(ErrorOf(Builder().Start(0, 1).Text("k").Put<uint32_t>(13).Zeros(8)),
              HasSubstr("the type of key 'k' is 13, which GGUF does not define"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 1).Text("").Put<uint32_t>(0).Zeros(8)),
              HasSubstr("a key is empty"));
  EXPECT_THAT(
      ErrorOf(Builder().Start(0, 1).Text(std::string(65536, 'k')).Put<uint32_t>(0).Zeros(8)),
      HasSubstr("at most 65535"));
  EXPECT_THAT(ErrorOf(Builder().Start(0, 1).Key("k", GgufType::kBool).Put<uint8_t>(2)),
              HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(
      ErrorOf(Builder().Start(0, 1).Array("k", GgufType::kBool, 2).Put<uint8_t>(1).Put<uint8_t>(9)),
      HasSubstr("neither 0 nor 1"));
  Builder twice;
  twice.Start(0, 2).Key("k", GgufType::kU8).Put<uint8_t>(1).Key("k", GgufType::kU8).Put<uint8_t>(1);
  EXPECT_THAT(ErrorOf(twice), HasSubstr("key 'k' occurs a second time"));
  Builder deep;
  deep.Start(0, 1)
      .Array("k", GgufType::kArray, 1)
      .Put(static_cast<uint32_t>(GgufType::kArray))
      .Put<uint64_t>(0)
      .Zeros(16);
  EXPECT_THAT(ErrorOf(deep), HasSubstr("more than two deep"));
}

TEST(Gguf, Alignment) {
  const auto with = [](uint32_t alignment, uint64_t offset) {
    Builder b;
    b.Start(1, 1).Key("general.alignment", GgufType::kU32).Put(alignment);
    return b.Tensor("t", {2}, kGgmlF32, offset).Align(64).Zeros(128);
  };
  EXPECT_EQ(ErrorOf(with(64, 0)), "no error");
  EXPECT_THAT(ErrorOf(with(64, 32)),
              HasSubstr("tensor 't' (byte 57) has the offset 32, no multiple of the alignment 64"));
  for (const uint32_t alignment : {0u, 3u, 48u, 1u << 31}) {
    EXPECT_THAT(ErrorOf(with(alignment, 0)), HasSubstr("'general.alignment' is")) << alignment;
  }
  Builder text;
  text.Start(0, 1).Key("general.alignment", GgufType::kString).Text("32");
  EXPECT_THAT(ErrorOf(text), HasSubstr("not an integer"));
}

TEST(Gguf, BadTensors) {
  const auto with = [](const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    Builder b;
    return b.Start(1, 0).Tensor("t", dims, type, offset).Align(32).Zeros(128);
  };
  EXPECT_EQ(ErrorOf(with({32}, kGgmlF32, 0)), "no error");
  EXPECT_EQ(ErrorOf(with({0, 7}, kGgmlF32, 0)), "no error");
  EXPECT_THAT(
      ErrorOf(with({33}, kGgmlF32, 0)),
      HasSubstr("tensor 't' (byte 24) has 132 bytes at offset 0 of the data (which starts at byte "
                "64), beyond the end of a file of 192 bytes (truncated download?)"));
  EXPECT_THAT(ErrorOf(with({16}, kGgmlF32, 128)), HasSubstr("beyond the end"));
  EXPECT_THAT(ErrorOf(with({8}, kGgmlF32, ~uint64_t{31})), HasSubstr("beyond the end"));
  EXPECT_THAT(ErrorOf(with({1, 1, 1, 1, 1}, kGgmlF32, 0)), HasSubstr("has 5 dims; GGUF allows 4"));
  EXPECT_THAT(ErrorOf(with({uint64_t{1} << 32, uint64_t{1} << 31}, kGgmlF32, 0)),
              HasSubstr("impossible dims"));
  EXPECT_THAT(ErrorOf(with({~uint64_t{0}}, kGgmlF32, 0)), HasSubstr("impossible dims [-1]"));
  EXPECT_THAT(ErrorOf(with({33, 2}, kGgmlQ8_0, 0)),
              HasSubstr("rows of 33 values, which is no multiple of the 32 in a block of q8_0"));
  EXPECT_THAT(ErrorOf(with({32}, 31, 0)),
              HasSubstr("has the ggml type 31, which Weft does not know"));
}

TEST(Gguf, TensorsMustNotOverlapOrRepeat) {
  const auto pair = [](const std::string& second, uint64_t offset) {
    Builder b;
    b.Start(2, 0).Tensor("b", {16}, kGgmlF32, 64);
    return b.Tensor(second, {16}, kGgmlF32, offset).Align(32).Zeros(256);
  };
  EXPECT_EQ(ErrorOf(pair("a", 0)), "no error");
  EXPECT_THAT(ErrorOf(pair("a", 192)),
              HasSubstr("tensor 'b' (byte 24) begins at byte 160, behind a "
                        "hole: byte 96 was expected"));
  EXPECT_THAT(ErrorOf(pair("a", 32)),
              HasSubstr("tensor 'b' (byte 24) begins at byte 160 and overlaps 'a'"));
  EXPECT_THAT(ErrorOf(pair("a", 64)), HasSubstr("overlaps"));
  EXPECT_THAT(ErrorOf(pair("b", 128)), HasSubstr("tensor 'b' (byte 57) occurs a second time"));
}

TEST(Gguf, SplitModels) {
  Builder b;
  b.Start(0, 1).Key("split.count", GgufType::kU16).Put<uint16_t>(3);
  EXPECT_THAT(ErrorOf(b), HasSubstr("one of 3 parts of a split model"));
}

TEST(Gguf, OpensFiles) {
  const std::string path = testing::TempDir() + "weft_gguf_" + std::to_string(getpid());
  const Builder sample = Sample();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(sample.bytes().data()),
             static_cast<long>(sample.bytes().size()));
  auto file = OpenGguf(path);
  unlink(path.c_str());
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufFile moved = *std::move(file);
  EXPECT_EQ(*moved.metadata.GetString("general.architecture"), "llama");
  ASSERT_NE(moved.tensors.Find("norm"), nullptr);
  EXPECT_EQ(moved.tensors.Bytes(*moved.tensors.Find("norm")).size(), 20u);
  EXPECT_EQ(OpenGguf("/no/such.gguf").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace weft
