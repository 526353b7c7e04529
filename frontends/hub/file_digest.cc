#include "frontends/hub/file_digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/file_io.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

struct DigestFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestFree>;

absl::StatusOr<DigestContext> Begin(DigestKind kind) {
  DigestContext context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  if (context == nullptr || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) {
    return absl::InternalError(
        absl::StrCat("OpenSSL offers no ", DigestName(kind), " on this machine"));
  }
  return context;
}

std::string Finish(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  EVP_DigestFinal_ex(context, digest.data(), &length);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), length));
}

}  // namespace

DigestKind DigestKindOf(absl::string_view etag) {
  bool hex = std::all_of(etag.begin(), etag.end(),
                         [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hex && etag.size() == 64) return DigestKind::kSha256;
  if (hex && etag.size() == 40) return DigestKind::kGitBlobSha1;
  return DigestKind::kNone;
}

absl::string_view DigestName(DigestKind kind) {
  switch (kind) {
    case DigestKind::kSha256:
      return "sha256";
    case DigestKind::kGitBlobSha1:
      return "git blob sha1";
    case DigestKind::kNone:
      break;
  }
  return "none";
}

absl::StatusOr<std::string> FileDigest(int fd, DigestKind kind, const std::string& path) {
  WEFT_CHECK(kind != DigestKind::kNone);
  WEFT_ASSIGN_OR_RETURN(const DigestContext context, Begin(kind));
  if (kind == DigestKind::kGitBlobSha1) {
    auto size = SizeOf(fd, path);
    if (!size.ok()) return size.status();
    std::string header = absl::StrCat("blob ", *size);
    header.push_back('\0');
    EVP_DigestUpdate(context.get(), header.data(), header.size());
  }
  std::vector<char> buffer(1 << 20);
  for (off_t offset = 0;;) {
    ssize_t n = pread(fd, buffer.data(), buffer.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (n == 0) break;
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(n));
    offset += n;
  }
  return Finish(context.get());
}

absl::StatusOr<std::string> FileDigest(const std::string& path, DigestKind kind) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  return FileDigest(fd.get(), kind, path);
}

absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes) {
  WEFT_ASSIGN_OR_RETURN(const DigestContext context, Begin(DigestKind::kSha256));
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  return Finish(context.get());
}

}  // namespace weft
