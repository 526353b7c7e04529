#include "runtime/plan/weight_pages.h"

#include <sys/mman.h>

#include <algorithm>

#include "runtime/plan/checksum.h"

namespace weft {

void ReleasePages(absl::Span<const uint8_t> bytes) {
  constexpr uintptr_t kPage = 4096;
  const auto data = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t before = (kPage - data % kPage) % kPage;  // of the first whole page
  if (bytes.size() < before + kPage) return;
  const uintptr_t size = (bytes.size() - before) / kPage * kPage;
  // A hint: where it fails they stay in memory. The pages are not written.
  (void)madvise(const_cast<uint8_t*>(bytes.data()) + before, size, MADV_DONTNEED);
}

uint64_t ChecksumAndRelease(absl::Span<const uint8_t> bytes) {
  constexpr uint64_t kPiece = uint64_t{32} << 20;
  Checksum checksum;
  for (uint64_t at = 0; at < bytes.size(); at += kPiece) {
    const absl::Span<const uint8_t> piece = bytes.subspan(at, kPiece);
    checksum.Add(piece);
    ReleasePages(piece);
  }
  return checksum.Value();
}

}  // namespace weft
