#include "runtime/weight_copy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/base/memory_room.h"
#include "runtime/base/smaps_testing.h"

namespace weft {
namespace {

std::string FileOf(const std::vector<uint8_t>& bytes) {
  const std::string path = testing::TempDir() + "weft_weight_copy" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

std::vector<uint8_t> RandomBytes(size_t size) {
  std::vector<uint8_t> bytes(size);
  uint32_t state = 1;
  for (uint8_t& byte : bytes)
    byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

class WeightCopyTest : public testing::Test {
 protected:
  // From the byte `offset` of a file on, in two parts.
  std::shared_ptr<const MappedBlock> Block(uint64_t offset, uint64_t size) {
    const std::string path = FileOf(bytes_);
    auto file = MappedFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    unlink(path.c_str());
    const uint64_t first = std::min<uint64_t>(size, 3 * 4096);
    std::vector<MappedBlock::Part> parts = {{*file, offset, first}};
    if (size > first) parts.push_back({*file, offset + first, size - first});
    auto block = MappedBlock::Map(std::move(parts));
    EXPECT_TRUE(block.ok()) << block.status();
    return *std::move(block);
  }
  absl::Span<const uint8_t> Expected(uint64_t offset, uint64_t size) const {
    return absl::MakeConstSpan(bytes_).subspan(offset, size);
  }

  std::vector<uint8_t> bytes_ = RandomBytes((9 << 20) + 12345);
};

TEST_F(WeightCopyTest, TakesThePlaceOfTheFilesPages) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{4096}, uint64_t{5 << 20}}) {
    for (const uint64_t size : {bytes_.size() - offset, uint64_t{1}, uint64_t{0}}) {
      for (const bool lock : {false, true}) {
        const auto block = Block(offset, size);
        const uint8_t* const data = block->bytes().data();
        auto copy = WeightCopy::Start(block, lock);
        ASSERT_TRUE(copy.ok()) << copy.status();
        (*copy)->Pause(false);
        while (!(*copy)->ended()) EXPECT_EQ(block->bytes(), Expected(offset, size));
        (*copy)->Wait();
        EXPECT_EQ((*copy)->moved(), size);
        EXPECT_EQ(block->bytes().data(), data);
        EXPECT_EQ(block->bytes(), Expected(offset, size));
        if (size == 0) continue;
        EXPECT_GT(SmapsKilobytes(data, "Anonymous"), 0);
        if (kMlockLocks) {
          EXPECT_EQ(SmapsKilobytes(data, "Locked") > 0, lock);
        }
      }
    }
  }
}

TEST_F(WeightCopyTest, EndsAtAnyTime) {
  const auto block = Block(0, bytes_.size());
  for (int i = 0; i < 50; ++i) {
    auto copy = WeightCopy::Start(block);
    ASSERT_TRUE(copy.ok());
    if (i % 3 == 1) (*copy)->Pause(false);
    if (i % 3 == 2) {
      (*copy)->Pause(false);
      (*copy)->Pause(true);
    }
  }
  EXPECT_EQ(block->bytes(), Expected(0, bytes_.size()));
}

TEST_F(WeightCopyTest, BeginsWhenToldToAndGoesOnAfterAPause) {
  const auto block = Block(0, bytes_.size());
  auto copy = WeightCopy::Start(block);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ((*copy)->moved(), 0U);
  EXPECT_FALSE((*copy)->ended());
  (*copy)->Pause(false);
  (*copy)->Pause(true);
  (*copy)->Wait();
  EXPECT_EQ((*copy)->moved(), bytes_.size());
}

// What has moved is whole, and the rest is not touched.
TEST_F(WeightCopyTest, FileThatCannotBeReadAnyMore) {
  const std::string path = FileOf(bytes_);
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  const auto block = MappedBlock::Map({{*file, 0, bytes_.size()}});
  ASSERT_TRUE(block.ok());
  ASSERT_EQ(truncate(path.c_str(), 5 << 20), 0);
  auto copy = WeightCopy::Start(*block);
  ASSERT_TRUE(copy.ok());
  (*copy)->Wait();
  unlink(path.c_str());
  EXPECT_TRUE((*copy)->ended());
  const uint64_t moved = (*copy)->moved();
  EXPECT_LT(moved, bytes_.size());
  EXPECT_GT(moved, 0U);
  EXPECT_EQ((*block)->bytes().first(moved), Expected(0, moved));
}

TEST_F(WeightCopyTest, NotWhereOthersNeedTheMemory) {
  const uint64_t all =
      FindMemoryRoom().available + (uint64_t{1} << 40);  // others may just give some back
  EXPECT_EQ(WeightCopy::Start(Block(0, bytes_.size()), false, all).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(WeightCopy::Start(Block(0, bytes_.size()), false, ~uint64_t{0}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft
