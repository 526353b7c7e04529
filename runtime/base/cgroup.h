// The control groups that this process is in.
#pragma once

#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft {

struct CgroupLevel {
  std::string folder;  // of its files
  bool v2 = false;
};

// The groups, of both versions, that bound what `controller` ("cpu", "memory") gives this process:
// each from the mount's root down to its own, since a parent binds its children. Inside a container
// the path may be the host's and not exist there; then the mount's root is the container's group.
// `system_root` stands before /proc and /sys (for tests).
std::vector<CgroupLevel> CgroupLevels(absl::string_view controller,
                                      const std::string& system_root = "");

// A small file of the kernel, or nothing.
std::optional<std::string> ReadKernelFile(const std::string& path);
// The number that it begins with; nothing for "max", too.
std::optional<int64_t> ReadKernelNumber(const std::string& path);
// In a file of lines "name value": the value, or nothing.
std::optional<int64_t> FindKernelNumber(absl::string_view text, absl::string_view name);

}  // namespace weft
