// The part of the Hugging Face cache that belongs to one repository, in the layout huggingface_hub
// reads and writes: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
//   models--org--name/blobs/<etag>                  the bytes; weft-<hash> where it is no digest
//   models--org--name/snapshots/<commit>/<file>     relative symbolic link to a blob
//   models--org--name/refs/main                     the commit that main was when last asked
//   .locks/models--org--name/<etag>.lock            held while a blob is written
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/options.h"

namespace weft {

struct CachedModel {
  ResolvedModel model;
  bool has_tokenizer = true;  // false: a folder without tokenizer.json, as a program that loads
                              // only weights leaves it
};

class HubCache {
 public:
  // `hub_cache` is HubEnvironment::hub_cache, `id` a checked "org/name". Touches no disk.
  HubCache(const std::string& hub_cache, const std::string& id);

  // Creates the folders that a download writes to.
  absl::Status Prepare() const;

  // `blob` and `commit` are plain names, hex digits as a rule.
  std::string BlobPath(const std::string& blob) const;
  std::string LockPath(const std::string& blob) const;
  std::string SnapshotFolder(const std::string& commit) const;
  std::string SnapshotFile(const std::string& commit, const std::string& file) const;

  // Whether the snapshot has the file, blob included.
  absl::StatusOr<bool> Has(const std::string& commit, const std::string& file) const;
  // Makes `file` of the snapshot this blob.
  absl::Status Link(const std::string& commit, const std::string& file,
                    const std::string& blob) const;
  absl::Status WriteMainRef(const std::string& commit) const;

  // A snapshot that holds all that the model needs (every shard too), that of refs/main by
  // preference, else the newest. Chooses among the files that are there: without a selector that
  // may be a .gguf fetched with one. An error where something cannot be looked at: another snapshot
  // than the preferred one would be no answer.
  absl::StatusOr<std::optional<CachedModel>> Find(absl::string_view selector) const;

 private:
  absl::StatusOr<std::optional<CachedModel>> FindIn(const std::string& commit,
                                                    absl::string_view selector) const;

  std::string repo_;   // …/models--org--name
  std::string locks_;  // …/.locks/models--org--name
};

}  // namespace weft
