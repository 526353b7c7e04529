// SHA-256 of files, remembered from run to run, so that no start reads gigabytes that have not
// changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/file_times.h"

namespace weft::tools {

class DigestIndex {
 public:
  // `path` of the file that remembers; empty: nothing is. A file that is missing, or that others
  // may have written (ReadPrivateFile), is an empty index; damaged lines are passed over. `on_read`
  // is called before a file of more than kAlwaysRead bytes is read. `times_tell` says whether a
  // change of the file shows in its times.
  explicit DigestIndex(
      std::string path, std::function<void(const std::string& path)> on_read = {},
      std::function<bool(int fd)> times_tell = [](int fd) { return CtimeTellsChanges(fd); });

  // Lower-case hex digest of a regular file: of its bytes, whatever its name, since whoever made a
  // model's folder chose the names. Files of at most kAlwaysRead bytes are read; of others, a
  // digest is remembered as long as device, inode, size, mtime and ctime stay as they were.
  absl::StatusOr<std::string> Sha256(const std::string& path);

  // Writes what was learnt, together with what other processes wrote meanwhile, into a folder that
  // is this user's alone. Where that cannot be, the files are read again another time.
  absl::Status Save();

  // "digests" in WeftCacheFolder(); empty where there is none.
  static std::string DefaultPath();

  static constexpr uint64_t kAlwaysRead = 1 << 20;  // a millisecond
  static constexpr size_t kMaxEntries = 1024;       // 160 bytes each; the newest stay

 private:
  // What tells a file and its state, and the digest.
  struct Entry {
    std::string state;  // "device inode size mtime ctime", times in nanoseconds
    std::string digest;
  };

  static std::vector<Entry> Read(const std::string& path);

  const std::string path_;
  const std::function<void(const std::string&)> on_read_;
  const std::function<bool(int)> times_tell_;
  std::vector<Entry> entries_;  // newest first
  std::vector<Entry> learnt_;   // not in the file yet; newest first
};

}  // namespace weft::tools
