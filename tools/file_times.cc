#include "tools/file_times.h"

#include <linux/magic.h>
#include <linux/romfs_fs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>

namespace weft::tools {
namespace {

// Of images, times are what their maker wrote, and two that are mounted in turn have the same
// device and inode numbers. What is in memory keeps its times where it is written through a map.
// Who serves a FUSE file system answers what he likes. Numbers: linux/magic.h, statfs(2).
constexpr std::array<uint64_t, 9> kTellNothing = {
    SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, ISOFS_SUPER_MAGIC, CRAMFS_MAGIC,     CRAMFS_MAGIC_WEND,
    ROMFS_MAGIC,    TMPFS_MAGIC,          RAMFS_MAGIC,       FUSE_SUPER_MAGIC,
};

}  // namespace

bool CtimeTellsChanges(uint64_t file_system) {
  return std::ranges::find(kTellNothing, file_system) == kTellNothing.end();
}

bool CtimeTellsChanges(int fd) {
  struct statfs info = {};
  if (fstatfs(fd, &info) != 0) return false;
  // The field's type and sign differ from machine to machine; all types have 32 bits.
  return CtimeTellsChanges(uint64_t{static_cast<uint32_t>(info.f_type)});
}

}  // namespace weft::tools
