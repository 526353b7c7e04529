#include "runtime/plan/plan.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "runtime/plan/checksum.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/weight_pages.h"

namespace weft {
namespace {

// The program of the largest models has some thousand steps of some hundred bytes; parsing takes
// a multiple of the text in memory.
constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

}  // namespace

bool Plan::LooksLikePlan(absl::Span<const uint8_t> file) {
  return file.size() >= kPlanMagic.size() &&
         absl::string_view(reinterpret_cast<const char*>(file.data()), kPlanMagic.size()) ==
             kPlanMagic;
}

const PlanEntry* Plan::Find(PlanSection kind, size_t index) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(), [&](const PlanEntry& entry) {
    return entry.kind == kind && entry.index == index;
  });
  return found == sections_.end() ? nullptr : &*found;
}

absl::Span<const uint8_t> Plan::Bytes(PlanSection kind, size_t index) const {
  const PlanEntry* entry = Find(kind, index);
  if (entry == nullptr) return {};
  return file_->bytes().subspan(entry->offset, entry->size);
}

absl::string_view Plan::Text(PlanSection kind, size_t index) const {
  const absl::Span<const uint8_t> bytes = Bytes(kind, index);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

absl::Status Plan::CheckSection(const PlanEntry& entry) const {
  if (Checksum::Of(file_->bytes().subspan(entry.offset, entry.size)) == entry.checksum)
    return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      path(), ": checksum of section '", Name(entry), "', from byte ", entry.offset, " to byte ",
      entry.offset + entry.size, ", does not match (damaged; compile the model again)"));
}

absl::Status Plan::CheckPresent() const {
  for (const PlanSection kind :
       {PlanSection::kProgram, PlanSection::kMetadata, PlanSection::kCode, PlanSection::kWeights}) {
    if (Find(kind) != nullptr) continue;
    if (kind == PlanSection::kWeights && Find(PlanSection::kSideFiles) != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat(path(), ": the plan has no section '",
                                                   Name(kind), "' (compile the model again)"));
  }
  for (const PlanSection kind :
       {PlanSection::kProgram, PlanSection::kMetadata, PlanSection::kSideFiles}) {
    if (Bytes(kind).size() <= kMaxJsonBytes) continue;
    return absl::InvalidArgumentError(absl::StrCat(path(), ": section '", Name(kind), "' has ",
                                                   Find(kind)->size, " bytes, more than ",
                                                   kMaxJsonBytes));
  }
  return absl::OkStatus();
}

absl::Status Plan::CheckIndexed(PlanSection kind, absl::string_view field, size_t names) const {
  // Indices of a kind differ, so that as many below the number of names are all of them.
  const auto is_kind = [&](const PlanEntry& entry) { return entry.kind == kind; };
  const auto has_name = [&](const PlanEntry& entry) { return entry.index < names; };
  const auto count =
      static_cast<size_t>(std::count_if(sections_.begin(), sections_.end(), is_kind));
  const bool all_named =
      std::all_of(sections_.begin(), sections_.end(),
                  [&](const PlanEntry& entry) { return !is_kind(entry) || has_name(entry); });
  if (count == names && all_named) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path(), ": the plan has ", count, " sections '", Name(kind), "', which are not those of the ",
      names, " ", field, " in its metadata (compile the model again)"));
}

absl::StatusOr<std::shared_ptr<const Plan>> Plan::Open(const std::string& path) {
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path, /*guarded=*/true);
  if (!file.ok()) return file.status();
  auto plan = std::shared_ptr<Plan>(new Plan());
  plan->file_ = *std::move(file);
  const absl::Span<const uint8_t> bytes = plan->file_->bytes();
  const absl::StatusOr<std::vector<PlanEntry>> entries = DecodePlanHeader(bytes, path);
  if (!entries.ok()) return entries.status();
  plan->sections_ = *entries;
  for (const PlanEntry& entry : plan->sections_) {
    if (entry.kind == PlanSection::kWeights) continue;
    if (absl::Status status = plan->CheckSection(entry); !status.ok()) return status;
  }
  if (absl::Status status = plan->CheckPresent(); !status.ok()) return status;
  absl::StatusOr<Program> program = ProgramFromJson(plan->Text(PlanSection::kProgram), path);
  if (!program.ok()) return program.status();
  absl::StatusOr<PlanMetadata> metadata =
      MetadataFromJson(plan->Text(PlanSection::kMetadata), path);
  if (!metadata.ok()) return metadata.status();
  if (absl::Status status = plan->MapWeights(); !status.ok()) return status;
  if (plan->weights().size() != program->weight_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the program needs ",
                                                   program->weight_bytes,
                                                   " bytes of weights, the "
                                                   "plan has ",
                                                   plan->weights().size()));
  }
  plan->program_ = *std::move(program);
  plan->metadata_ = *std::move(metadata);
  const PlanMetadata& described = plan->metadata_;
  for (const absl::Status& status :
       {plan->CheckIndexed(PlanSection::kCode, "targets", described.targets.size()),
        plan->CheckIndexed(PlanSection::kIr, "stages", described.stages.size())}) {
    if (!status.ok()) return status;
  }
  return plan;
}

absl::Status Plan::MapWeights() {
  std::vector<MappedBlock::Part> parts;
  if (const PlanEntry* entry = Find(PlanSection::kWeights); entry != nullptr) {
    if (Find(PlanSection::kSideFiles) != nullptr)
      return absl::InvalidArgumentError(absl::StrCat(path(), ": has both weights and side files"));
    parts.push_back({file_, entry->offset, entry->size});
  } else {
    absl::StatusOr<std::vector<SideFile>> files =
        SideFilesFromJson(Text(PlanSection::kSideFiles), absl::StrCat(path(), ": side files"));
    if (!files.ok()) return files.status();
    side_files_ = *std::move(files);
    for (size_t i = 0; i < side_files_.size(); ++i) {
      absl::StatusOr<MappedBlock::Part> part = OpenSideFile(path(), side_files_, i);
      if (!part.ok()) return part.status();
      parts.push_back(*std::move(part));
    }
  }
  absl::StatusOr<std::shared_ptr<const MappedBlock>> block = MappedBlock::Map(std::move(parts));
  if (!block.ok()) return block.status();
  weights_ = *std::move(block);
  return absl::OkStatus();
}

absl::Status Plan::VerifyWeights() const {
  const std::vector<MappedBlock::Part>& parts = weights_->parts();
  for (size_t i = 0; i < parts.size(); ++i) {
    const MappedBlock::Part& part = parts[i];
    const bool own = side_files_.empty();
    part.file->Advise(part.offset, part.size, MappedFile::Access::kSequential);
    // Through the file's own map, in whose pages nobody else is interested: the weights may be in
    // others by now.
    const uint64_t checksum =
        ChecksumAndRelease(part.file->bytes().subspan(part.offset, part.size));
    if (absl::Status status = part.file->CheckWhole(); !status.ok()) return status;
    if (checksum == (own ? Find(PlanSection::kWeights)->checksum : side_files_[i].checksum))
      continue;
    return absl::DataLossError(absl::StrCat(
        part.file->path(), ": checksum of ",
        own ? absl::StrCat("section 'weights', from byte ", part.offset, " to byte ",
                           part.offset + part.size, ",")
            : "the weights",
        " does not match (damaged; ", own ? "" : "copy it again, or ", "compile the model again)"));
  }
  return absl::OkStatus();
}

absl::Status Plan::CheckWhole() const {
  if (absl::Status status = file_->CheckWhole(); !status.ok()) return status;
  return weights_->CheckWhole();
}

}  // namespace weft
