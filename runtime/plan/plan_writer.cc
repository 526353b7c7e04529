#include "runtime/plan/plan_writer.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/plan/weight_pages.h"

namespace weft {

absl::StatusOr<std::unique_ptr<PlanWriter>> PlanWriter::Create(const std::string& path,
                                                               uint64_t split_bytes) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a plan cannot be written to a pipe or device; name a file"));
  }
  absl::StatusOr<std::unique_ptr<AtomicFileWriter>> file = AtomicFileWriter::Create(path);
  if (!file.ok()) return file.status();
  static_assert(kPlanHeaderBytes + kMaxPlanSections * kPlanEntryBytes <= kPlanAlignment);
  static constexpr std::array<uint8_t, kPlanAlignment> kHeader = {};  // written by Commit()
  if (absl::Status status = (*file)->Append(absl::MakeConstSpan(kHeader)); !status.ok()) {
    return status;
  }
  return std::unique_ptr<PlanWriter>(new PlanWriter(path, split_bytes, *std::move(file)));
}

absl::Status PlanWriter::Begin(PlanSection kind, uint32_t index) {
  WEFT_CHECK(!weights_.has_value());
  WEFT_CHECK(index == 0 || IsIndexed(kind));
  WEFT_CHECK(entries_.size() < kMaxPlanSections);
  WEFT_CHECK(std::none_of(entries_.begin(), entries_.end(), [&](const PlanEntry& entry) {
    return entry.kind == kind && entry.index == index;
  }));
  if (absl::Status status = file_->PadTo(kPlanAlignment); !status.ok()) return status;
  entries_.push_back({kind, file_->offset(), 0, 0, index});
  return absl::OkStatus();
}

absl::Status PlanWriter::AddSection(PlanSection kind, absl::Span<const uint8_t> bytes,
                                    uint32_t index) {
  if (absl::Status status = Begin(kind, index); !status.ok()) return status;
  entries_.back().size = bytes.size();
  entries_.back().checksum = Checksum::Of(bytes);
  return file_->Append(bytes);
}

absl::Status PlanWriter::AddSection(PlanSection kind, absl::string_view text, uint32_t index) {
  return AddSection(
      kind, absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size()), index);
}

absl::StatusOr<absl::Span<uint8_t>> PlanWriter::BeginWeights(uint64_t bytes) {
  if (split_bytes_ > 0 && bytes > 0) {
    auto side_files = SideFileWriter::Create(path_, bytes, split_bytes_);
    if (!side_files.ok()) return side_files.status();
    side_files_ = *std::move(side_files);
    weights_ = side_files_->weights();
    return *weights_;
  }
  if (absl::Status status = Begin(PlanSection::kWeights); !status.ok()) return status;
  const absl::StatusOr<absl::Span<uint8_t>> weights = file_->AppendMapped(bytes);
  if (!weights.ok()) return weights.status();
  entries_.back().size = bytes;
  weights_ = *weights;
  return *weights;
}

absl::Status PlanWriter::EndWeights() {
  WEFT_CHECK(weights_.has_value());
  const absl::Span<uint8_t> weights = *weights_;
  weights_.reset();
  if (side_files_ != nullptr) {
    const absl::StatusOr<std::vector<SideFile>> files = side_files_->Finish();
    if (!files.ok()) return files.status();
    return AddSection(PlanSection::kSideFiles, SideFilesToJson(*files));
  }
  entries_.back().checksum = ChecksumAndRelease(weights);
  return absl::OkStatus();
}

absl::Status PlanWriter::Commit() {
  WEFT_CHECK(!weights_.has_value());
  const std::vector<uint8_t> header = EncodePlanHeader(entries_, file_->offset());
  if (absl::Status status = file_->WriteAt(0, header); !status.ok()) return status;
  if (side_files_ == nullptr) return file_->Commit();
  // The plan comes last: who finds it finds its side files. Where they take the place of another
  // plan's, that one is refused from the first of them on.
  absl::Status status = side_files_->Flush();
  if (status.ok()) status = file_->Flush();
  if (status.ok()) status = side_files_->Publish();
  if (status.ok()) status = file_->Publish();
  if (status.ok()) side_files_->Keep();
  return status;
}

}  // namespace weft
