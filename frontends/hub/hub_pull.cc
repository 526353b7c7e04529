#include "frontends/hub/hub_pull.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "frontends/hub/file_digest.h"
#include "frontends/hub/file_io.h"
#include "frontends/hub/hub_cache.h"
#include "frontends/hub/hub_client.h"
#include "runtime/base/read_file.h"

namespace weft {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxIndexBytes = 64 << 20;

// Whether the file is there and complete. Blobs appear by rename, so another size means a foreign
// hand: it is fetched anew.
bool IsComplete(const std::string& path, std::optional<uint64_t> size) {
  struct stat on_disk;
  if (stat(path.c_str(), &on_disk) != 0 || !S_ISREG(on_disk.st_mode)) return false;
  return !size || static_cast<uint64_t>(on_disk.st_size) == *size;
}

// Whether a file of the snapshot is of the blob that was compared with this digest. What is no link
// was put there by the user, or a program that cannot make any, and goes by its size.
bool IsOfBlob(const std::string& path, const std::string& digest) {
  std::error_code no_link;
  const fs::path target = fs::read_symlink(path, no_link);
  return no_link || target.filename() == digest;
}

// The blob of a file whose ETag is no digest: such may be the same for several files, or commits.
absl::StatusOr<std::string> BlobName(const std::string& commit, const std::string& file,
                                     const std::string& etag) {
  const std::string text = absl::StrCat(commit, "\n", file, "\n", etag);
  auto digest = Sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!digest.ok()) return digest.status();
  return absl::StrCat("weft-", *digest);
}

// What the user set, else what the caller did.
HttpLimits LimitsOf(const HubEnvironment& environment, HttpLimits limits) {
  limits.metadata_timeout = environment.metadata_timeout.value_or(limits.metadata_timeout);
  limits.stall_timeout = environment.stall_timeout.value_or(limits.stall_timeout);
  return limits;
}

class Puller {
 public:
  Puller(const HubName& name, const HubEnvironment& environment, const HubOptions& options)
      : name_(name),
        options_(options),
        cache_(environment.hub_cache, name.id),
        client_(environment, LimitsOf(environment, options.limits)) {}

  absl::StatusOr<ResolvedModel> Run() {
    auto repo = client_.Repo(name_.id);
    if (!repo.ok()) {
      if (!absl::IsUnavailable(repo.status())) return repo.status();
      const auto cached = cache_.Find(name_.selector);
      if (!cached.ok()) return cached.status();
      if (!*cached) return repo.status();
      Note(absl::StrCat(name_.id,
                        ": using the copy in the cache, since the hub cannot be reached (",
                        repo.status().message(), ")"));
      return (*cached)->model;
    }
    auto selection = SelectFiles(repo->files, name_.selector);
    if (!selection.ok()) return selection.status();
    if (auto status = cache_.Prepare(); !status.ok()) return status;
    for (const std::string& file : selection->files) {
      if (auto status = Fetch(*repo, file); !status.ok()) return status;
    }
    if (selection->sharded) {
      if (auto status = FetchShards(*repo); !status.ok()) return status;
    }
    if (auto status = cache_.WriteMainRef(repo->commit); !status.ok()) return status;
    if (selection->kind == ModelKind::kGgufFile) {
      return ResolvedModel{cache_.SnapshotFile(repo->commit, selection->files[0]), selection->kind};
    }
    return ResolvedModel{cache_.SnapshotFolder(repo->commit), selection->kind};
  }

 private:
  void Note(const std::string& text) const {
    if (options_.progress) options_.progress({"", 0, 0, text});
  }

  absl::Status FetchShards(const HubRepo& repo) {
    const std::string index = cache_.SnapshotFile(repo.commit, std::string(kShardIndex));
    auto text = ReadRegularFile(index, kMaxIndexBytes);
    if (!text.ok()) return text.status();
    auto shards = ShardsOfIndex(*text, std::string(kShardIndex));
    if (!shards.ok()) return shards.status();
    const std::set<std::string> have(repo.files.begin(), repo.files.end());
    for (const std::string& shard : *shards) {
      if (!have.contains(shard)) {
        return absl::NotFoundError(
            absl::StrCat(kShardIndex, " names '", shard, "', which the repository does not have"));
      }
    }
    for (const std::string& shard : *shards) {
      if (auto status = Fetch(repo, shard); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Fetch(const HubRepo& repo, const std::string& file) {
    const std::string& commit = repo.commit;
    const std::string path = cache_.SnapshotFile(commit, file);
    const auto size = repo.sizes.find(file);
    const auto listed = repo.digests.find(file);
    if (size != repo.sizes.end() && IsComplete(path, size->second) &&
        (listed == repo.digests.end() || IsOfBlob(path, listed->second))) {
      return absl::OkStatus();
    }
    auto info = client_.FileInfo(name_.id, commit, file);
    if (!info.ok()) return info.status();
    if (listed != repo.digests.end()) info->etag = listed->second;
    const bool is_digest = DigestKindOf(info->etag) != DigestKind::kNone;
    if (info->size && IsComplete(path, info->size) && (!is_digest || IsOfBlob(path, info->etag)))
      return absl::OkStatus();
    const auto name = is_digest ? info->etag : BlobName(commit, file, info->etag);
    if (!name.ok()) return name.status();
    const std::string blob = cache_.BlobPath(*name);
    auto lock = FileLock::Acquire(cache_.LockPath(*name), [&] {
      Note(absl::StrCat(file, ": waiting for another process that is downloading it"));
    });
    if (!lock.ok()) return lock.status();
    if (!IsComplete(blob, info->size)) {
      if (auto status = Download(commit, file, *info, blob, lock->held()); !status.ok())
        return status;
    }
    return cache_.Link(commit, file, *name);
  }

  // `alone`: nobody else is writing to the blob's partial file, so that this may go on from it.
  // Others begin one of their own, which is gone with them.
  absl::Status Download(const std::string& commit, const std::string& file, const HubFile& info,
                        const std::string& blob, bool alone) {
    std::string partial = blob + ".incomplete";
    if (!alone) {
      auto own = MakeTemporaryFile(blob);
      if (!own.ok()) return own.status();
      partial = *std::move(own);
    }
    auto report = [&](uint64_t done, uint64_t total) {
      if (options_.progress) options_.progress({file, done, total, ""});
    };
    auto status = client_.Download(name_.id, commit, file, info, partial, blob, report);
    if (!status.ok() && !alone) unlink(partial.c_str());
    return status;
  }

  const HubName& name_;
  const HubOptions& options_;
  HubCache cache_;
  HubClient client_;
};

}  // namespace

absl::StatusOr<ResolvedModel> PullRepo(const HubName& name, const HubEnvironment& environment,
                                       const HubOptions& options) {
  auto model = Puller(name, environment, options).Run();
  if (model.ok()) return model;
  return absl::Status(model.status().code(), absl::StrCat(name.id, ": ", model.status().message()));
}

}  // namespace weft
