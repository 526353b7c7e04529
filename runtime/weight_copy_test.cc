#include "runtime/weight_copy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace weft {
namespace {

std::string FileOf(const std::vector<uint8_t>& bytes) {
  const std::string path = testing::TempDir() + "weft_weight_copy";
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
  void SetUp() override {
    const std::string path = FileOf(bytes_);
    auto file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    unlink(path.c_str());
  }

  std::vector<uint8_t> bytes_ = RandomBytes((9 << 20) + 12345);
  std::shared_ptr<const MappedFile> file_;
};

TEST_F(WeightCopyTest, EqualsTheFileByteForByte) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{4096}, uint64_t{5 << 20}}) {
    for (const uint64_t size : {bytes_.size() - offset, uint64_t{1}, uint64_t{0}}) {
      auto copy = WeightCopy::Start(file_, offset, size);
      ASSERT_TRUE(copy.ok()) << copy.status();
      // Whatever is said to be there is there.
      for (uint64_t ready = 0; ready < size;) {
        ready = (*copy)->ready();
        if (ready == 0) continue;
        ASSERT_EQ((*copy)->data()[ready - 1], bytes_[offset + ready - 1]);
      }
      (*copy)->Wait();
      EXPECT_EQ((*copy)->ready(), size);
      EXPECT_EQ((*copy)->size(), size);
      EXPECT_TRUE(std::equal(bytes_.begin() + static_cast<int64_t>(offset),
                             bytes_.begin() + static_cast<int64_t>(offset + size),
                             (*copy)->data()));
      (*copy)->ReleaseMap();
      EXPECT_EQ(file_->bytes()[offset], bytes_[offset]) << "given back, not unmapped";
    }
  }
}

TEST_F(WeightCopyTest, EndsAtAnyTime) {
  for (int i = 0; i < 50; ++i) {
    auto copy = WeightCopy::Start(file_, 0, bytes_.size());
    ASSERT_TRUE(copy.ok());
    if (i % 3 == 1) (*copy)->Pause(true);
    if (i % 3 == 2) {
      (*copy)->Pause(true);
      (*copy)->Pause(false);
    }
  }
}

TEST_F(WeightCopyTest, GoesOnAfterAPause) {
  auto copy = WeightCopy::Start(file_, 0, bytes_.size());
  ASSERT_TRUE(copy.ok());
  (*copy)->Pause(true);
  (*copy)->Pause(false);
  (*copy)->Wait();
  EXPECT_EQ((*copy)->ready(), bytes_.size());
}

TEST_F(WeightCopyTest, RangesBeyondTheFile) {
  EXPECT_FALSE(WeightCopy::Start(file_, bytes_.size() + 1, 0).ok());
  EXPECT_FALSE(WeightCopy::Start(file_, 4096, bytes_.size()).ok());
  EXPECT_FALSE(WeightCopy::Start(file_, 1, UINT64_MAX).ok());
}

TEST(AvailableMemory, IsLessThanThereIs) {
  const uint64_t available = AvailableMemory();
  EXPECT_GT(available, 0u);
  EXPECT_LE(available, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                           static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace weft
