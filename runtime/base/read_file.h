// Small files (configurations, prompts, tokenizers) as strings.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace weft {

// The whole file, also a pipe or /dev/stdin. More than `max_bytes`, a folder, or a read error is an
// error that names the path.
absl::StatusOr<std::string> ReadFileToString(const std::string& path, uint64_t max_bytes);

// What is left of an open file, which errors call `name`. The same limits as above.
absl::StatusOr<std::string> ReadDescriptor(int fd, const std::string& name, uint64_t max_bytes);

// A file of a model: what is no regular file (or a link to one) is an error. A pipe that came with
// the model's folder would be waited on for ever.
absl::StatusOr<std::string> ReadRegularFile(const std::string& path, uint64_t max_bytes);

}  // namespace weft
