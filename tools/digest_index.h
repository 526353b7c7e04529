// SHA-256 of files, remembered from run to run, so that no start reads gigabytes that have not
// changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace weft::tools {

class DigestIndex {
 public:
  // `path` of the file that remembers; empty: nothing is. A missing file is an empty index, damaged
  // lines of it are passed over. `on_read` is called before a file of more than kAlwaysRead bytes
  // is read.
  explicit DigestIndex(std::string path, std::function<void(const std::string& path)> on_read = {});

  // Lower-case hex digest of the file. Blobs of the hub's cache have it in their name; files of at
  // most kAlwaysRead bytes are read; of others, a digest is remembered as long as device, inode,
  // size, mtime and ctime stay as they were.
  absl::StatusOr<std::string> Sha256(const std::string& path);

  // Writes what was learnt, together with what other processes wrote meanwhile. Where that cannot
  // be, the files are read again another time.
  void Save();

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
  std::vector<Entry> entries_;  // newest first
  std::vector<Entry> learnt_;   // not in the file yet; newest first
};

}  // namespace weft::tools
