#include "runtime/base/mapped_block.h"

#include <absl/strings/str_cat.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/lock_memory.h"
#include "runtime/base/posix_error.h"

namespace weft {
namespace {

constexpr uint64_t kPage = 4096;

uint64_t RoundUp(uint64_t size) {
  return (size + MappedBlock::kAlignment - 1) / MappedBlock::kAlignment * MappedBlock::kAlignment;
}

// Address space without memory, aligned; null where there is none.
uint8_t* Reserve(uint64_t size) {
  constexpr uint64_t kSlack = MappedBlock::kAlignment;
  void* const mapped =
      mmap(nullptr, size + kSlack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* data = static_cast<uint8_t*>(mapped);
  const uint64_t before =
      RoundUp(reinterpret_cast<uintptr_t>(data)) - reinterpret_cast<uintptr_t>(data);
  if (before > 0) munmap(data, before);
  if (before < kSlack) munmap(data + before + size, kSlack - before);
  return data + before;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedBlock>> MappedBlock::Map(std::vector<Part> parts) {
  uint64_t size = 0;
  for (const Part& part : parts) {
    const uint64_t file_bytes = part.file->bytes().size();
    if (part.offset > file_bytes || part.size > file_bytes - part.offset) {
      return absl::InvalidArgumentError(
          absl::StrCat(part.file->path(), ": has no ", part.size, " bytes at ", part.offset));
    }
    WEFT_CHECK(part.offset % kPage == 0 && (&part == &parts.back() || part.size % kPage == 0));
    size += part.size;  // cannot overflow: each part is mapped already
  }
  auto block = std::shared_ptr<MappedBlock>(new MappedBlock(std::move(parts)));
  if (size == 0) return block;
  uint8_t* const data = Reserve(RoundUp(size));
  if (data == nullptr) return PosixError(errno, block->parts_[0].file->path(), "map into memory");
  block->bytes_ = absl::MakeConstSpan(data, size);
  uint64_t at = 0;
  for (const Part& part : block->parts_) {
    if (part.size == 0) continue;
    if (absl::Status status = part.file->MapAt(data + at, part.offset, part.size); !status.ok())
      return status;
    block->guards_.emplace_back(data + at, part.size);
    at += part.size;
  }
  return block;
}

MappedBlock::~MappedBlock() {
  guards_.clear();  // as in MappedFile
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), RoundUp(bytes_.size()));
}

absl::Status MappedBlock::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  WEFT_CHECK(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
  for (const Part& part : parts_) {
    if (offset >= part.size) {
      offset -= part.size;
      continue;
    }
    const uint64_t size = std::min<uint64_t>(out.size(), part.size - offset);
    if (absl::Status status = part.file->Read(part.offset + offset, out.first(size)); !status.ok())
      return status;
    out.remove_prefix(size);
    offset = 0;
  }
  return absl::OkStatus();
}

void MappedBlock::Advise(MappedFile::Access access) const {
  for (const Part& part : parts_) part.file->Advise(part.offset, part.size, access);
}

absl::Status MappedBlock::Lock() const {
  return bytes_.empty() ? absl::OkStatus() : LockMemory(bytes_, parts_[0].file->path());
}

absl::Status MappedBlock::CheckWhole() const {
  size_t guard = 0;
  for (const Part& part : parts_) {
    if (part.size > 0 && guards_[guard++].broken()) return part.file->Truncated();
  }
  for (const Part& part : parts_) {
    if (absl::Status status = part.file->CheckWhole(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace weft
