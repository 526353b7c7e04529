#include "tools/digest_index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "frontends/hub/file_digest.h"
#include "frontends/hub/file_io.h"
#include "runtime/base/cache_folder.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/checksum.h"

namespace weft::tools {
namespace {

constexpr size_t kMaxLine = 256;
// The coarsest clock of a file system (FAT's). A file that changed so recently may change again
// without its times showing it.
constexpr int64_t kClockNs = 2'000'000'000;

int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

std::string StateOf(const struct stat& info) {
  return absl::StrCat(info.st_dev, " ", info.st_ino, " ", info.st_size, " ",
                      Nanoseconds(info.st_mtim), " ", Nanoseconds(info.st_ctim));
}

std::string LineChecksum(absl::string_view text) {
  return absl::StrFormat("%016x", Checksum::Of(text));
}

}  // namespace

DigestIndex::DigestIndex(std::string path, std::function<void(const std::string& path)> on_read,
                         std::function<bool(int fd)> times_tell)
    : path_(std::move(path)),
      on_read_(std::move(on_read)),
      times_tell_(std::move(times_tell)),
      entries_(Read(path_)) {}

// A line is "checksum digest state", the checksum that of the rest.
std::vector<DigestIndex::Entry> DigestIndex::Read(const std::string& path) {
  std::vector<Entry> entries;
  if (path.empty()) return entries;
  const absl::StatusOr<std::string> text = ReadPrivateFile(path, kMaxEntries * kMaxLine);
  if (!text.ok()) return entries;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> sum =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (LineChecksum(sum.second) != sum.first) continue;
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(sum.second, absl::MaxSplits(' ', 1));
    entries.push_back({std::string(entry.second), std::string(entry.first)});
  }
  return entries;
}

absl::StatusOr<std::string> DigestIndex::Sha256(const std::string& path) {
  // Of a pipe, not waiting for anyone at its other end.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info = {};
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) return PosixError(errno, path, "open");
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no regular file"));
  const bool small = static_cast<uint64_t>(info.st_size) <= kAlwaysRead;
  const bool remembered = !small && times_tell_(fd.get());
  std::string state = StateOf(info);
  if (remembered) {
    for (const auto* entries : {&learnt_, &entries_}) {
      const auto found = std::ranges::find(*entries, state, &Entry::state);
      if (found != entries->end()) return found->digest;
    }
  }
  if (!small && on_read_) on_read_(path);
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  absl::StatusOr<std::string> digest = FileDigest(fd.get(), DigestKind::kSha256, path);
  if (!digest.ok() || !remembered) return digest;
  const int64_t changed = std::max(Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim));
  struct stat after = {};
  if (Nanoseconds(now) - changed > kClockNs && fstat(fd.get(), &after) == 0 &&
      StateOf(after) == state) {
    learnt_.insert(learnt_.begin(), {std::move(state), *digest});
  }
  return digest;
}

std::string DigestIndex::DefaultPath() {
  const std::string cache = WeftCacheFolder();
  return cache.empty() ? "" : cache + "/digests";
}

absl::Status DigestIndex::Save() {
  if (path_.empty() || learnt_.empty()) return absl::OkStatus();
  WEFT_RETURN_IF_ERROR(MakePrivateFolder(std::filesystem::path(path_).parent_path().string()));
  std::vector<Entry> all = std::move(learnt_);
  learnt_.clear();
  for (Entry& entry : Read(path_)) {
    if (std::ranges::find(all, entry.state, &Entry::state) == all.end())
      all.push_back(std::move(entry));
  }
  if (all.size() > kMaxEntries) all.resize(kMaxEntries);
  std::string text;
  for (const Entry& entry : all) {
    const std::string rest = absl::StrCat(entry.digest, " ", entry.state);
    absl::StrAppend(&text, LineChecksum(rest), " ", rest, "\n");
  }
  entries_ = std::move(all);
  return WriteFileByRename(path_, text);
}

}  // namespace weft::tools
