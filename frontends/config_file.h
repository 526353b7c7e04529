// The small files of a model's folder, each read once: what is parsed is what the digest is of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace weft {

struct ConfigFile {
  std::string path;
  uint64_t bytes = 0;
  std::string sha256;  // of the bytes that were parsed, in hex; empty where the file was not read
};

// The text of the file, which is added to `read`; nothing where there is no such file.
absl::StatusOr<std::optional<std::string>> ReadConfigFile(const std::string& path,
                                                          uint64_t max_bytes,
                                                          std::vector<ConfigFile>* read);

}  // namespace weft
