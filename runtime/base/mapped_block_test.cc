#include "runtime/base/mapped_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace weft {
namespace {

using testing::HasSubstr;

std::vector<uint8_t> Numbered(size_t size, uint8_t first) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(first + i * 7 + i / 4096);
  return bytes;
}

class MappedBlockTest : public testing::Test {
 protected:
  std::shared_ptr<const MappedFile> FileOf(const std::vector<uint8_t>& bytes) {
    const std::string path = testing::TempDir() + "weft_mapped_block_" + std::to_string(getpid());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    auto file = MappedFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    unlink(path.c_str());
    return *std::move(file);
  }
};

TEST_F(MappedBlockTest, PartsStandSideBySide) {
  const std::vector<uint8_t> a = Numbered(5 * 4096, 1);
  const std::vector<uint8_t> b = Numbered(3 * 4096 + 100, 50);
  const auto block = MappedBlock::Map(
      {{FileOf(a), 4096, 2 * 4096}, {FileOf(b), 0, 4096}, {FileOf(b), 8192, 4196}});
  ASSERT_TRUE(block.ok()) << block.status();
  std::vector<uint8_t> expected(a.begin() + 4096, a.begin() + 3 * 4096);
  expected.insert(expected.end(), b.begin(), b.begin() + 4096);
  expected.insert(expected.end(), b.begin() + 8192, b.end());
  EXPECT_EQ((*block)->bytes(), absl::MakeConstSpan(expected));
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*block)->bytes().data()) % MappedBlock::kAlignment, 0U);
  for (const size_t offset : {0, 1, 4096, 8191, 8192, 12288, 16483}) {
    for (const size_t size : {0, 1, 4096, 9000, 16484}) {
      std::vector<uint8_t> out(std::min(size, expected.size() - offset));
      ASSERT_TRUE((*block)->Read(offset, absl::MakeSpan(out)).ok());
      EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin() + static_cast<long>(offset)));
    }
  }
  (*block)->Advise(MappedFile::Access::kSequential);
  EXPECT_TRUE((*block)->CheckWhole().ok());
}

TEST_F(MappedBlockTest, Empty) {
  for (const bool part : {false, true}) {
    std::vector<MappedBlock::Part> parts;
    if (part) parts.push_back({FileOf({1}), 0, 0});
    const auto block = MappedBlock::Map(std::move(parts));
    ASSERT_TRUE(block.ok()) << block.status();
    EXPECT_TRUE((*block)->bytes().empty());
    EXPECT_TRUE((*block)->Lock().ok());
    EXPECT_TRUE((*block)->CheckWhole().ok());
  }
}

TEST_F(MappedBlockTest, RangesBeyondTheFile) {
  const auto file = FileOf(Numbered(8192, 0));
  for (const MappedBlock::Part& part :
       {MappedBlock::Part{file, 12288, 0}, {file, 4096, 4097}, {file, 0, UINT64_MAX}}) {
    EXPECT_THAT(std::string(MappedBlock::Map({part}).status().message()),
                HasSubstr(file->path() + ": has no"));
  }
}

TEST_F(MappedBlockTest, Locked) {
  const std::vector<uint8_t> bytes = Numbered(8192, 3);
  const auto block = MappedBlock::Map({{FileOf(bytes), 0, bytes.size()}});
  ASSERT_TRUE(block.ok());
  ASSERT_TRUE((*block)->Lock().ok());
  EXPECT_EQ((*block)->bytes(), absl::MakeConstSpan(bytes));
}

}  // namespace
}  // namespace weft
