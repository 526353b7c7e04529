#include "runtime/plan/weight_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "runtime/plan/checksum.h"

namespace weft {
namespace {

// Of the machine's pages that hold these bytes, how many this process maps (proc_pid_pagemap(5)).
int MappedPages(absl::Span<const uint8_t> bytes) {
  constexpr uint64_t kPage = 4096;
  std::FILE* const pagemap = std::fopen("/proc/self/pagemap", "rb");
  int mapped = 0;
  for (uint64_t at = 0; at < bytes.size(); at += kPage) {
    const uint64_t page = reinterpret_cast<uintptr_t>(bytes.data() + at) / kPage;
    uint64_t entry = 0;
    EXPECT_EQ(std::fseek(pagemap, static_cast<long>(page * sizeof(entry)), SEEK_SET), 0);
    EXPECT_EQ(std::fread(&entry, sizeof(entry), 1, pagemap), 1U);
    mapped += static_cast<int>(entry >> 63);
  }
  (void)std::fclose(pagemap);
  return mapped;
}

class WeightPagesTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = std::tmpfile();
    ASSERT_NE(file_, nullptr);
    ASSERT_EQ(ftruncate(fileno(file_), kBytes), 0);
    void* const map = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file_), 0);
    ASSERT_NE(map, MAP_FAILED);
    bytes_ = absl::MakeSpan(static_cast<uint8_t*>(map), kBytes);
    for (size_t i = 0; i < kBytes; ++i) bytes_[i] = static_cast<uint8_t>(i * 31 + i / 4096);
    copy_.assign(bytes_.begin(), bytes_.end());
  }
  void TearDown() override {
    munmap(bytes_.data(), kBytes);
    (void)std::fclose(file_);
  }

  static constexpr size_t kBytes = 40 << 20;
  std::FILE* file_ = nullptr;
  absl::Span<uint8_t> bytes_;
  std::vector<uint8_t> copy_;
};

TEST_F(WeightPagesTest, ReleasedBytesStay) {
  ASSERT_EQ(MappedPages(bytes_), kBytes / 4096);
  ReleasePages(bytes_.subspan(100, 3 * 4096));
  EXPECT_EQ(MappedPages(bytes_), kBytes / 4096 - 2) << "whole pages alone";
  ReleasePages(bytes_.subspan(10, 100));
  ReleasePages({});
  EXPECT_EQ(MappedPages(bytes_), kBytes / 4096 - 2);
  ReleasePages(bytes_);
  EXPECT_EQ(MappedPages(bytes_), 0);
  EXPECT_EQ(bytes_, absl::MakeSpan(copy_));
}

TEST_F(WeightPagesTest, ChecksumLeavesNoPagesBehind) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{32} << 20, kBytes}) {
    EXPECT_EQ(ChecksumAndRelease(bytes_.first(size)),
              Checksum::Of(absl::MakeConstSpan(copy_).first(size)));
  }
  EXPECT_EQ(MappedPages(bytes_), 0);
}

}  // namespace
}  // namespace weft
