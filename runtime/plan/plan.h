// A plan file, mapped.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/abi/program.h"
#include "runtime/base/mapped_block.h"
#include "runtime/base/mapped_file.h"
#include "runtime/plan/plan_format.h"
#include "runtime/plan/plan_metadata.h"
#include "runtime/plan/side_files.h"

namespace weft {

// A plan holds machine code and is to be trusted like a program: checks find damage, not malice.
class Plan {
 public:
  // True for files that begin as plans do; whether they are whole, Open tells.
  static bool LooksLikePlan(absl::Span<const uint8_t> file);

  // Checks all but the weights' bytes: header, section table, checksums, program, metadata, side
  // files. Errors name the path and the section: not a plan; another format version; damaged or
  // truncated.
  static absl::StatusOr<std::shared_ptr<const Plan>> Open(const std::string& path);

  // Reads all weights from their files and compares their checksums.
  absl::Status VerifyWeights() const;
  // DataLoss once a file of the plan was found truncated while in use (truncation_guard.h).
  absl::Status CheckWhole() const;

  // In the order of the table.
  const std::vector<PlanEntry>& sections() const { return sections_; }
  const std::string& path() const { return file_->path(); }
  const Program& program() const { return program_; }
  const PlanMetadata& metadata() const { return metadata_; }
  // Views into the map, empty where the file has none; valid as long as the plan.
  // The final one of the stages.
  absl::string_view ir() const {
    return metadata_.stages.empty() ? absl::string_view() : ir(metadata_.stages.size() - 1);
  }
  // Of stage i of the metadata.
  absl::string_view ir(size_t stage) const { return Text(PlanSection::kIr, stage); }
  absl::string_view tokenizer() const { return Text(PlanSection::kTokenizer); }
  absl::string_view chat_template() const { return Text(PlanSection::kChatTemplate); }
  // Of target i of the metadata.
  absl::Span<const uint8_t> code(size_t target) const { return Bytes(PlanSection::kCode, target); }
  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  // Aligned to 2 MiB.
  absl::Span<const uint8_t> weights() const { return weights_->bytes(); }
  const std::shared_ptr<const MappedBlock>& weight_block() const { return weights_; }
  // Where the weights are when they are not in the plan's own file.
  const std::vector<SideFile>& side_files() const { return side_files_; }

 private:
  Plan() = default;
  absl::Status CheckSection(const PlanEntry& entry) const;
  absl::Status MapWeights();
  // That what must be there is, and of a size to be read.
  absl::Status CheckPresent() const;
  // That there is one of them for each name in the metadata.
  absl::Status CheckIndexed(PlanSection kind, absl::string_view field, size_t names) const;
  const PlanEntry* Find(PlanSection kind, size_t index = 0) const;
  absl::Span<const uint8_t> Bytes(PlanSection kind, size_t index = 0) const;
  absl::string_view Text(PlanSection kind, size_t index = 0) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<PlanEntry> sections_;
  std::vector<SideFile> side_files_;
  std::shared_ptr<const MappedBlock> weights_;
  Program program_;
  PlanMetadata metadata_;
};

}  // namespace weft
