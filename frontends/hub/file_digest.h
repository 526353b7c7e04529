// Checksums as the hub's ETags carry them, of files and of what is in memory.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weft {

enum class DigestKind {
  kNone,         // an ETag of another form: nothing to check against
  kSha256,       // 64 hex digits: files in large-file storage
  kGitBlobSha1,  // 40 hex digits: files kept in git, sha1("blob <size>\0" + bytes)
};

// The digest that an ETag (without quotes) is.
DigestKind DigestKindOf(absl::string_view etag);
// "sha256", "git blob sha1".
absl::string_view DigestName(DigestKind kind);

// Lower-case hex digest of the whole file; `kind` is not kNone. `path` is for messages only; `fd`
// may stand anywhere and stays where it is.
absl::StatusOr<std::string> FileDigest(int fd, DigestKind kind, const std::string& path);
absl::StatusOr<std::string> FileDigest(const std::string& path, DigestKind kind);

// Lower-case hex digest of bytes in memory.
absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes);

}  // namespace weft
