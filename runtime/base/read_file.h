// Small files (configurations, prompts, tokenizers) as strings.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
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

// The same of a file that need not be there: nothing where the system says that it is not (ENOENT,
// ENOTDIR). What fails otherwise may be there, and is an error.
absl::StatusOr<std::optional<std::string>> ReadRegularFileIfAny(const std::string& path,
                                                                uint64_t max_bytes);

// What is there, behind symbolic links; not_found in the same cases, never for another error.
absl::StatusOr<std::filesystem::file_type> FileTypeOf(const std::string& path);

}  // namespace weft
