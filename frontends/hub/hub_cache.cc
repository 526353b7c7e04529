#include "frontends/hub/hub_cache.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/file_io.h"
#include "frontends/hub/model_name.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace fs = std::filesystem;
namespace {

constexpr absl::string_view kRepoPrefix = "models--";
constexpr size_t kMaxIndexBytes = 64 << 20;  // about 100 bytes per tensor
constexpr size_t kMaxRefBytes = 256;
constexpr int kMaxDepth = 8;           // IsSafeFileName's
constexpr size_t kMaxListed = 100000;  // a snapshot holds a few dozen files

// For what was listed but cannot be read: not having found it is no answer.
absl::Status ListError(const std::error_code& error, const std::string& folder) {
  return !error || MeansAbsent(error.value()) ? absl::OkStatus()
                                              : PosixError(error.value(), folder, "read");
}

// False for a link whose blob is missing.
absl::StatusOr<bool> Exists(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(path));
  return type == fs::file_type::regular;
}

// Paths of the files below `folder`, relative to it; links whose blob is missing are left out.
absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  while (!error && it != fs::recursive_directory_iterator() && names.size() < kMaxListed) {
    if (it.depth() >= kMaxDepth) it.disable_recursion_pending();
    WEFT_ASSIGN_OR_RETURN(const bool exists, Exists(it->path().string()));
    if (exists) names.push_back(it->path().lexically_relative(folder).generic_string());
    it.increment(error);
  }
  WEFT_RETURN_IF_ERROR(ListError(error, folder));
  return names;
}

}  // namespace

HubCache::HubCache(const std::string& hub_cache, const std::string& id) {
  const std::string folder = absl::StrCat(kRepoPrefix, absl::StrReplaceAll(id, {{"/", "--"}}));
  repo_ = absl::StrCat(hub_cache, "/", folder);
  locks_ = absl::StrCat(hub_cache, "/.locks/", folder);
}

absl::Status HubCache::Prepare() const {
  for (const std::string& folder :
       {repo_ + "/blobs", repo_ + "/refs", repo_ + "/snapshots", locks_}) {
    if (auto status = MakeFolders(folder); !status.ok()) {
      return absl::Status(
          status.code(),
          absl::StrCat(status.message(), "; set HF_HUB_CACHE to a folder that can be written to"));
    }
  }
  return absl::OkStatus();
}

std::string HubCache::BlobPath(const std::string& blob) const {
  return absl::StrCat(repo_, "/blobs/", blob);
}

std::string HubCache::LockPath(const std::string& blob) const {
  return absl::StrCat(locks_, "/", blob, ".lock");
}

std::string HubCache::SnapshotFolder(const std::string& commit) const {
  return absl::StrCat(repo_, "/snapshots/", commit);
}

std::string HubCache::SnapshotFile(const std::string& commit, const std::string& file) const {
  return absl::StrCat(SnapshotFolder(commit), "/", file);
}

absl::StatusOr<bool> HubCache::Has(const std::string& commit, const std::string& file) const {
  return Exists(SnapshotFile(commit, file));
}

absl::Status HubCache::Link(const std::string& commit, const std::string& file,
                            const std::string& blob) const {
  const std::string link = SnapshotFile(commit, file);
  if (auto status = MakeFolders(fs::path(link).parent_path().string()); !status.ok()) return status;
  // From snapshots/<commit>/ up to the repository, and one more for each folder in the file's name.
  std::string target = "../../";
  for (char c : file) {
    if (c == '/') target += "../";
  }
  return ReplaceSymlink(absl::StrCat(target, "blobs/", blob), link);
}

absl::Status HubCache::WriteMainRef(const std::string& commit) const {
  return WriteFileByRename(repo_ + "/refs/main", commit);
}

absl::StatusOr<std::optional<CachedModel>> HubCache::Find(absl::string_view selector) const {
  using Found = std::optional<CachedModel>;
  WEFT_ASSIGN_OR_RETURN(const std::optional<std::string> ref,
                        ReadRegularFileIfAny(repo_ + "/refs/main", kMaxRefBytes));
  const std::string main(absl::StripAsciiWhitespace(ref.value_or("")));
  if (IsSafeFileName(main)) {
    absl::StatusOr<Found> found = FindIn(main, selector);
    if (!found.ok() || *found) return found;
  }
  const std::string snapshots = repo_ + "/snapshots";
  std::vector<std::pair<fs::file_time_type, std::string>> by_time;
  std::error_code error;
  for (fs::directory_iterator it(snapshots, error), end; !error && it != end; it.increment(error)) {
    std::error_code unknown;  // counts as the oldest
    by_time.emplace_back(it->last_write_time(unknown), it->path().filename().string());
  }
  WEFT_RETURN_IF_ERROR(ListError(error, snapshots));
  std::sort(by_time.rbegin(), by_time.rend());
  for (const auto& [time, commit] : by_time) {
    absl::StatusOr<Found> found = FindIn(commit, selector);
    if (!found.ok() || *found) return found;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<CachedModel>> HubCache::FindIn(const std::string& commit,
                                                            absl::string_view selector) const {
  WEFT_ASSIGN_OR_RETURN(const std::vector<std::string> names, FilesBelow(SnapshotFolder(commit)));
  auto selection = SelectFiles(names, selector);
  if (!selection.ok()) return std::nullopt;
  CachedModel found;
  found.model.kind = selection->kind;
  if (selection->kind == ModelKind::kGgufFile) {
    found.model.path = SnapshotFile(commit, selection->files[0]);
    return found;
  }
  if (selection->sharded) {
    const std::string index = SnapshotFile(commit, std::string(kShardIndex));
    WEFT_ASSIGN_OR_RETURN(const std::string text, ReadRegularFile(index, kMaxIndexBytes));
    auto shards = ShardsOfIndex(text, index);
    if (!shards.ok()) return std::nullopt;
    for (const std::string& shard : *shards) {
      WEFT_ASSIGN_OR_RETURN(const bool has, Has(commit, shard));
      if (!has) return std::nullopt;
    }
  }
  found.model.path = SnapshotFolder(commit);
  WEFT_ASSIGN_OR_RETURN(found.has_tokenizer, Has(commit, "tokenizer.json"));
  return found;
}

}  // namespace weft
