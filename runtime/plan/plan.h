// A plan file, mapped.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/abi/program.h"
#include "runtime/base/mapped_file.h"
#include "runtime/plan/plan_format.h"
#include "runtime/plan/plan_metadata.h"

namespace weft {

// A plan holds machine code and is to be trusted like a program: checks find damage, not malice.
class Plan {
 public:
  // True for files that begin as plans do; whether they are whole, Open tells.
  static bool LooksLikePlan(absl::Span<const uint8_t> file);

  // Checks all but the weights' bytes: header, section table, checksums, program, metadata. Errors
  // name the path and the section: not a plan; another format version; damaged or truncated.
  static absl::StatusOr<std::shared_ptr<const Plan>> Open(const std::string& path);

  // Reads all weights and compares their checksum.
  absl::Status VerifyWeights() const;

  int section_count() const;
  const std::string& path() const { return file_->path(); }
  const Program& program() const { return program_; }
  const PlanMetadata& metadata() const { return metadata_; }
  // Views into the map, empty where the file has none; valid as long as the plan.
  absl::string_view ir() const { return Text(PlanSection::kIr); }
  absl::string_view tokenizer() const { return Text(PlanSection::kTokenizer); }
  absl::string_view chat_template() const { return Text(PlanSection::kChatTemplate); }
  absl::Span<const uint8_t> code() const { return Bytes(PlanSection::kCode); }
  // The map that weights() is a part of.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  // Aligned to a page.
  absl::Span<const uint8_t> weights() const { return Bytes(PlanSection::kWeights); }

 private:
  struct Section {
    absl::Span<const uint8_t> bytes;
    uint64_t checksum = 0;
    bool present = false;
  };

  Plan() = default;
  absl::Status CheckSection(PlanSection kind) const;
  const Section& At(PlanSection kind) const { return sections_[static_cast<size_t>(kind) - 1]; }
  absl::Span<const uint8_t> Bytes(PlanSection kind) const { return At(kind).bytes; }
  absl::string_view Text(PlanSection kind) const;

  std::shared_ptr<const MappedFile> file_;
  std::array<Section, kPlanSectionKinds> sections_;
  Program program_;
  PlanMetadata metadata_;
};

}  // namespace weft
