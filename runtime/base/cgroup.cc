#include "runtime/base/cgroup.h"

#include <absl/status/statusor.h>
#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "runtime/base/read_file.h"

namespace weft {
namespace {

void AddLevels(const std::string& mount, absl::string_view path, bool v2,
               std::vector<CgroupLevel>& levels) {
  levels.push_back({mount, v2});
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == "..") return;  // outside of this cgroup namespace
    levels.push_back({absl::StrCat(levels.back().folder, "/", part), v2});
  }
}

}  // namespace

std::optional<std::string> ReadKernelFile(const std::string& path) {
  constexpr uint64_t kMaxBytes = 1 << 20;
  absl::StatusOr<std::string> text = ReadFileToString(path, kMaxBytes);
  if (!text.ok()) return std::nullopt;
  return *std::move(text);
}

std::optional<int64_t> ReadKernelNumber(const std::string& path) {
  const std::optional<std::string> text = ReadKernelFile(path);
  int64_t number = 0;
  if (!text.has_value() || !absl::SimpleAtoi(*text, &number)) return std::nullopt;
  return number;
}

std::optional<int64_t> FindKernelNumber(absl::string_view text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    int64_t number = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &number)) return number;
  }
  return std::nullopt;
}

std::vector<CgroupLevel> CgroupLevels(absl::string_view controller,
                                      const std::string& system_root) {
  std::vector<CgroupLevel> levels;
  const std::optional<std::string> membership =
      ReadKernelFile(absl::StrCat(system_root, "/proc/self/cgroup"));
  if (!membership.has_value()) return levels;
  const std::string root = absl::StrCat(system_root, "/sys/fs/cgroup");
  // Lines are "hierarchy:controllers:path" (cgroups(7)); v2 is "0::path".
  for (const absl::string_view line : absl::StrSplit(*membership, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    if (fields[0] == "0" && fields[1].empty()) {
      AddLevels(root, fields[2], /*v2=*/true, levels);
      AddLevels(absl::StrCat(root, "/unified"), fields[2], /*v2=*/true, levels);
      continue;
    }
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end())
      continue;
    AddLevels(absl::StrCat(root, "/", fields[1]), fields[2], /*v2=*/false, levels);
    if (fields[1] != controller)
      AddLevels(absl::StrCat(root, "/", controller), fields[2], /*v2=*/false, levels);
  }
  return levels;
}

}  // namespace weft
