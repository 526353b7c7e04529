#include "runtime/anonymous_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/smaps_testing.h"

namespace weft {
namespace {

using testing::HasSubstr;

TEST(AnonymousMemory, ZeroedAlignedAndWritable) {
  constexpr uint64_t kHugePage = 2 << 20;
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, uint64_t{5000}, kHugePage - 1,
                               kHugePage, kHugePage + 1, 3 * kHugePage + 4096}) {
    const auto memory = AnonymousMemory::Map(bytes, "a test");
    ASSERT_TRUE(memory.ok()) << memory.status();
    ASSERT_EQ(memory->size(), bytes);
    const auto address = reinterpret_cast<uintptr_t>(memory->data());
    EXPECT_EQ(address % (bytes >= kHugePage ? kHugePage : 4096), 0u) << bytes;
    EXPECT_TRUE(
        std::all_of(memory->data(), memory->data() + bytes, [](uint8_t b) { return b == 0; }));
    std::fill(memory->data(), memory->data() + bytes, uint8_t{7});
  }
}

// What this system does with the advice to use pages of 2 MiB: "always [madvise] never".
std::string HugePagesHere() {
  std::string enabled;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), enabled);
  return enabled;
}

TEST(AnonymousMemory, LargeOnesGetHugePages) {
  const std::string enabled = HugePagesHere();
  if (enabled.empty() || enabled.find("[never]") != std::string::npos) {
    GTEST_SKIP() << "this system has no transparent huge pages: '" << enabled << "'";
  }
  constexpr uint64_t kBytes = 32 << 20;
  const auto memory = AnonymousMemory::Map(kBytes, "a test");
  ASSERT_TRUE(memory.ok()) << memory.status();
  std::fill(memory->data(), memory->data() + kBytes, uint8_t{7});
  // Memory may be too fragmented for some, hardly for all.
  EXPECT_GT(SmapsKilobytes(memory->data(), "AnonHugePages"), 0);
}

TEST(AnonymousMemory, SmallPagesUntilToldOtherwise) {
  const std::string enabled = HugePagesHere();
  if (enabled.find("[madvise]") == std::string::npos) {
    GTEST_SKIP() << "this system's huge pages do not depend on advice: '" << enabled << "'";
  }
  constexpr uint64_t kHugePage = 2 << 20;
  constexpr uint64_t kPages = 16;
  auto memory =
      AnonymousMemory::Map(kPages * kHugePage, "a test", AnonymousMemory::Pages::kSmallAtFirst);
  ASSERT_TRUE(memory.ok()) << memory.status();
  uint8_t* const data = memory->data();
  for (uint64_t page = 0; page < kPages / 2; ++page) data[page * kHugePage + 5] = 7;
  EXPECT_EQ(SmapsKilobytes(data, "AnonHugePages"), 0);
  EXPECT_LT(SmapsKilobytes(data, "Rss"), 1024) << "what is not touched takes no memory";

  memory->UseHugePages();
  for (uint64_t page = 0; page < kPages; ++page) data[page * kHugePage + 6] = 8;
  EXPECT_GT(SmapsKilobytes(data, "AnonHugePages"), 0);
  for (uint64_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(data[page * kHugePage + 5], page < kPages / 2 ? 7 : 0);
    EXPECT_EQ(data[page * kHugePage + 6], 8);
  }
}

TEST(AnonymousMemory, NothingIsNothing) {
  const auto memory = AnonymousMemory::Map(0, "a test");
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(memory->data(), nullptr);
}

TEST(AnonymousMemory, MovesKeepOneOwner) {
  AnonymousMemory a = *AnonymousMemory::Map(100, "a test");
  uint8_t* const data = a.data();
  AnonymousMemory b = std::move(a);
  EXPECT_EQ(b.data(), data);
  AnonymousMemory c = *AnonymousMemory::Map(200, "a test");
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(c.size(), 100u);
  c.data()[99] = 1;
}

int64_t AddressSpacePages() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

TEST(AnonymousMemory, GivesEverythingBack) {
  const auto map_all = [] {
    for (uint64_t bytes = 1000; bytes < (64 << 20); bytes += bytes / 5 + 1) {
      ASSERT_TRUE(AnonymousMemory::Map(bytes, "a test").ok());
    }
  };
  map_all();  // whatever the process allocates once
  const int64_t before = AddressSpacePages();
  for (int i = 0; i < 5; ++i) map_all();
  EXPECT_EQ(AddressSpacePages(), before);
}

TEST(AnonymousMemory, MoreThanThereIs) {
  for (const uint64_t bytes : {uint64_t{1} << 46, UINT64_MAX}) {
    const auto memory = AnonymousMemory::Map(bytes, "the KV cache");
    EXPECT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(memory.status().message()), HasSubstr("no memory for the KV cache"));
  }
}

// While others read there.
TEST(AnonymousMemory, MovesOverAMapThatIsRead) {
  constexpr uint64_t kHugePage = 2 << 20;
  constexpr uint64_t kPages = 16;
  const auto place = AnonymousMemory::Map(kPages * kHugePage, "a test");
  ASSERT_TRUE(place.ok()) << place.status();
  uint8_t* const data = place->data();
  std::fill(data, data + place->size(), uint8_t{1});
  std::atomic<bool> done = false;
  {
    std::vector<std::jthread> readers;
    for (size_t first = 0; first < 3; ++first) {
      readers.emplace_back([&, first] {
        while (!done) {
          for (size_t at = first * 4096; at < kPages * kHugePage; at += 3 * 4096) {
            const uint8_t seen = *static_cast<volatile uint8_t*>(data + at);
            ASSERT_TRUE(seen == 1 || seen == 2) << int{seen};
          }
        }
      });
    }
    for (int round = 0; round < 4; ++round) {
      for (uint64_t page = 0; page < kPages; ++page) {
        auto memory = AnonymousMemory::Map(kHugePage, "a test");
        ASSERT_TRUE(memory.ok());
        std::fill(memory->data(), memory->data() + kHugePage, uint8_t{2});
        const int64_t huge = SmapsKilobytes(memory->data(), "AnonHugePages");
        ASSERT_TRUE((*std::move(memory)).MoveTo(data + page * kHugePage).ok());
        // Neighbours may have become one map.
        EXPECT_GE(SmapsKilobytes(data + page * kHugePage, "AnonHugePages"), huge)
            << "pages of 2 MiB stay such";
      }
    }
    done = true;
  }
  EXPECT_TRUE(std::all_of(data, data + place->size(), [](uint8_t b) { return b == 2; }));
}

}  // namespace
}  // namespace weft
