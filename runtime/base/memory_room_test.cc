#include "runtime/base/memory_room.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weft {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr uint64_t kMebi = 1 << 20;
constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

// Of a tree as Linux shows it under /proc and /sys.
class MemoryRoomTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "weft_memory_room_" + std::to_string(getpid());
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void WriteMachine(uint64_t available, uint64_t free_swap = 0) {
    Write("/proc/meminfo",
          "MemTotal:        1048576 kB\nMemFree:          1024 kB\nMemAvailable: " +
              std::to_string(available / 1024) +
              " kB\nSwapTotal:       " + std::to_string(2 * free_swap / 1024) +
              " kB\nSwapFree: " + std::to_string(free_swap / 1024) + " kB\n");
  }
  void WriteV2(const std::string& group, const std::string& limit, uint64_t used, uint64_t file) {
    const std::string folder = "/sys/fs/cgroup" + group;
    Write(folder + "/memory.max", limit + "\n");
    Write(folder + "/memory.current", std::to_string(used) + "\n");
    Write(folder + "/memory.stat", "anon 5\nfile 77\ninactive_file " + std::to_string(file / 2) +
                                       "\nactive_file " + std::to_string(file / 2) + "\n");
  }
  std::string root_;
};

TEST_F(MemoryRoomTest, NothingIsKnownWithoutProc) {
  EXPECT_EQ(FindMemoryRoom(root_).available, kUnknown);
  EXPECT_EQ(FindMemoryLimit(root_).limit, kUnknown);
  EXPECT_TRUE(CheckMemoryRoom(kUnknown, "a", "b", root_).ok());
  for (const char* text : {"", "MemAvailable: x kB", "MemTotal: 1 kB\n", "\0\n"}) {
    Write("/proc/meminfo", text);
    EXPECT_EQ(FindMemoryRoom(root_).available, kUnknown) << text;
  }
}

TEST_F(MemoryRoomTest, OfTheMachine) {
  WriteMachine(300 * kMebi, 100 * kMebi);
  EXPECT_EQ(FindMemoryRoom(root_).available, 400 * kMebi);
  EXPECT_EQ(FindMemoryRoom(root_).owner, "this machine");
  EXPECT_EQ(FindMemoryLimit(root_).limit, 1224 * kMebi);
  EXPECT_TRUE(CheckMemoryRoom(400 * kMebi, "a", "b", root_).ok());
  const absl::Status status = CheckMemoryRoom(400 * kMebi + 1, "a thing", "do so", root_);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "no memory for a thing: it takes 419.4 MB, and 419.4 MB of the 1283.5 MB of this "
            "machine are available (do so)");
  EXPECT_TRUE(CheckMemoryLimit(1224 * kMebi, "a", "b", root_).ok());
  EXPECT_EQ(CheckMemoryLimit(1225 * kMebi, "a thing", "do so", root_).message(),
            "no memory for a thing: it takes 1284.5 MB, and this machine has 1283.5 MB (do so)");
}

// Each level binds; what files take of it can be dropped; a "max" is none.
TEST_F(MemoryRoomTest, OfGroupsV2) {
  WriteMachine(500 * kMebi);
  Write("/proc/self/cgroup", "0::/a/b\n");
  WriteV2("/a", std::to_string(200 * kMebi), 150 * kMebi, 40 * kMebi);
  WriteV2("/a/b", "max", 150 * kMebi, 40 * kMebi);
  EXPECT_EQ(FindMemoryRoom(root_).available, 90 * kMebi);
  EXPECT_THAT(FindMemoryRoom(root_).owner, HasSubstr("control group"));
  EXPECT_EQ(FindMemoryLimit(root_).limit, 200 * kMebi);
  WriteV2("/a/b", std::to_string(100 * kMebi), 110 * kMebi, 0);
  EXPECT_EQ(FindMemoryRoom(root_).available, 0u);
  WriteV2("/a/b", std::to_string(100 * kMebi), 10 * kMebi, 10 * kMebi);
  EXPECT_EQ(FindMemoryRoom(root_).available, 90 * kMebi);
  EXPECT_THAT(std::string(CheckMemoryRoom(95 * kMebi, "a", "b", root_).message()),
              AllOf(HasSubstr("/sys/fs/cgroup/a"), HasSubstr("94.4 MB of the")));
  // Within a container the group is the mount's root.
  Write("/proc/self/cgroup", "0::/../../host/path\n");
  WriteV2("", std::to_string(64 * kMebi), 0, 0);
  EXPECT_EQ(FindMemoryRoom(root_).available, 64 * kMebi);
}

TEST_F(MemoryRoomTest, SwapOfGroupsV2) {
  WriteMachine(500 * kMebi, 50 * kMebi);
  Write("/proc/self/cgroup", "0::/a\n");
  WriteV2("/a", std::to_string(100 * kMebi), 60 * kMebi, 0);
  EXPECT_EQ(FindMemoryRoom(root_).available, 90 * kMebi);
  Write("/sys/fs/cgroup/a/memory.swap.max", std::to_string(20 * kMebi));
  Write("/sys/fs/cgroup/a/memory.swap.current", std::to_string(5 * kMebi));
  EXPECT_EQ(FindMemoryRoom(root_).available, 55 * kMebi);
  Write("/sys/fs/cgroup/a/memory.swap.max", "0");
  EXPECT_EQ(FindMemoryRoom(root_).available, 40 * kMebi);
  EXPECT_EQ(FindMemoryLimit(root_).limit, 100 * kMebi);
}

TEST_F(MemoryRoomTest, OfGroupsV1) {
  WriteMachine(500 * kMebi, 50 * kMebi);
  Write("/proc/self/cgroup", "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n");
  const std::string folder = "/sys/fs/cgroup/memory/docker/x/";
  Write(folder + "memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(FindMemoryRoom(root_).available, 550 * kMebi);
  Write(folder + "memory.limit_in_bytes", std::to_string(100 * kMebi) + "\n");
  Write(folder + "memory.usage_in_bytes", std::to_string(80 * kMebi) + "\n");
  Write(folder + "memory.stat", "inactive_file 1\ntotal_inactive_file " +
                                    std::to_string(30 * kMebi) + "\ntotal_active_file 0\n");
  Write(folder + "memory.memsw.limit_in_bytes", std::to_string(100 * kMebi) + "\n");
  EXPECT_EQ(FindMemoryRoom(root_).available, 50 * kMebi);
  Write(folder + "memory.memsw.limit_in_bytes", std::to_string(130 * kMebi) + "\n");
  EXPECT_EQ(FindMemoryRoom(root_).available, 80 * kMebi);
  EXPECT_EQ(FindMemoryLimit(root_).limit, 130 * kMebi);
}

// Swap is no room for locked bytes; what is locked already may be just these.
TEST_F(MemoryRoomTest, ToLock) {
  WriteMachine(500 * kMebi, 50 * kMebi);
  Write("/proc/self/cgroup", "0::/a\n");
  WriteV2("/a", std::to_string(100 * kMebi), 60 * kMebi, 20 * kMebi);
  EXPECT_TRUE(CheckMemoryRoom(110 * kMebi, "a", "b", root_).ok());
  EXPECT_TRUE(CheckRoomToLock(60 * kMebi, "a", "b", root_).ok());
  EXPECT_THAT(std::string(CheckRoomToLock(61 * kMebi, "a", "b", root_).message()),
              AllOf(HasSubstr("it takes 64.0 MB, and 62.9 MB of the"), HasSubstr("/cgroup/a")));
  Write("/sys/fs/cgroup/a/memory.stat",
        absl::StrCat("inactive_file ", 20 * kMebi, "\nactive_file 0\nunevictable ", 30 * kMebi,
                     "\n"));
  EXPECT_TRUE(CheckRoomToLock(90 * kMebi, "a", "b", root_).ok());
  EXPECT_FALSE(CheckRoomToLock(91 * kMebi, "a", "b", root_).ok());
}

TEST(MemoryRoom, OfThisMachineIsNotMoreThanThereIs) {
  const MemoryRoom room = FindMemoryRoom();
  EXPECT_GT(room.available, 0u);
  EXPECT_LE(room.available, room.limit);
}

}  // namespace
}  // namespace weft
