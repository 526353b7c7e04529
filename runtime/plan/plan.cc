#include "runtime/plan/plan.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "runtime/plan/checksum.h"
#include "runtime/plan/program_json.h"

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

absl::string_view Plan::Text(PlanSection kind) const {
  const absl::Span<const uint8_t> bytes = Bytes(kind);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

absl::Status Plan::CheckSection(PlanSection kind) const {
  const Section& section = At(kind);
  if (!section.present || Checksum::Of(section.bytes) == section.checksum) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path(), ": checksum of section '", Name(kind),
                                          "' does not match (damaged; compile the model again)"));
}

absl::StatusOr<std::shared_ptr<const Plan>> Plan::Open(const std::string& path) {
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  auto plan = std::shared_ptr<Plan>(new Plan());
  plan->file_ = *std::move(file);
  const absl::Span<const uint8_t> bytes = plan->file_->bytes();
  const absl::StatusOr<std::vector<PlanEntry>> entries = DecodePlanHeader(bytes, path);
  if (!entries.ok()) return entries.status();
  for (const PlanEntry& entry : *entries) {
    plan->sections_[static_cast<size_t>(entry.kind) - 1] = {bytes.subspan(entry.offset, entry.size),
                                                            entry.checksum, true};
    if (entry.kind == PlanSection::kWeights) continue;
    if (absl::Status status = plan->CheckSection(entry.kind); !status.ok()) return status;
  }
  for (const PlanSection kind :
       {PlanSection::kProgram, PlanSection::kMetadata, PlanSection::kCode, PlanSection::kWeights}) {
    if (plan->At(kind).present) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": the plan has no section '", Name(kind),
                                                   "' (compile the model again)"));
  }
  for (const PlanSection kind : {PlanSection::kProgram, PlanSection::kMetadata}) {
    if (plan->Bytes(kind).size() <= kMaxJsonBytes) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ": section '", Name(kind), "' has ",
                                                   plan->Bytes(kind).size(), " bytes, more than ",
                                                   kMaxJsonBytes));
  }
  absl::StatusOr<Program> program = ProgramFromJson(plan->Text(PlanSection::kProgram), path);
  if (!program.ok()) return program.status();
  absl::StatusOr<PlanMetadata> metadata =
      MetadataFromJson(plan->Text(PlanSection::kMetadata), path);
  if (!metadata.ok()) return metadata.status();
  if (plan->weights().size() != program->weight_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the program needs ",
                                                   program->weight_bytes,
                                                   " bytes of weights, the "
                                                   "plan has ",
                                                   plan->weights().size()));
  }
  plan->program_ = *std::move(program);
  plan->metadata_ = *std::move(metadata);
  return plan;
}

int Plan::section_count() const {
  return static_cast<int>(std::count_if(sections_.begin(), sections_.end(),
                                        [](const Section& section) { return section.present; }));
}

absl::Status Plan::VerifyWeights() const {
  file_->Advise(static_cast<uint64_t>(weights().data() - file_->bytes().data()), weights().size(),
                MappedFile::Access::kSequential);
  return CheckSection(PlanSection::kWeights);
}

}  // namespace weft
