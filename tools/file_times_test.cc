#include "tools/file_times.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>

#include "frontends/hub/file_io.h"

namespace weft::tools {
namespace {

TEST(FileTimes, OfImagesAndMemoryTellNothing) {
  for (const uint64_t type : {SQUASHFS_MAGIC, TMPFS_MAGIC, FUSE_SUPER_MAGIC})
    EXPECT_FALSE(CtimeTellsChanges(type)) << type;
  EXPECT_FALSE(CtimeTellsChanges(uint64_t{EROFS_SUPER_MAGIC_V1}));
  EXPECT_FALSE(CtimeTellsChanges(uint64_t{RAMFS_MAGIC}));
  for (const uint64_t type :
       {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC})
    EXPECT_TRUE(CtimeTellsChanges(type)) << type;
  EXPECT_TRUE(CtimeTellsChanges(uint64_t{BTRFS_SUPER_MAGIC}));
}

TEST(FileTimes, AreAskedOfTheFile) {
  const UniqueFd memory(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (memory.get() < 0) GTEST_SKIP() << "NOT TESTED: no /dev/shm";
  EXPECT_FALSE(CtimeTellsChanges(memory.get()));
  EXPECT_FALSE(CtimeTellsChanges(-1));
}

}  // namespace
}  // namespace weft::tools
