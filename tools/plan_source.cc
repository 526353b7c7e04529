#include "tools/plan_source.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/status_macros.h"

namespace weft::tools {
namespace {

using SourceFile = PlanMetadata::SourceFile;

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

absl::StatusOr<SourceFile> Describe(const std::string& path, DigestIndex* digests) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return PosixError(error.value(), path, "tell its size");
  WEFT_ASSIGN_OR_RETURN(std::string digest, digests->Sha256(path));
  return SourceFile{FileName(path), bytes, std::move(digest)};
}

}  // namespace

absl::StatusOr<std::vector<SourceFile>> SourceOf(const Model& model, DigestIndex* digests) {
  std::vector<SourceFile> source;
  const auto add = [&](const std::string& path) -> absl::Status {
    WEFT_ASSIGN_OR_RETURN(SourceFile file, Describe(path, digests));
    source.push_back(std::move(file));
    return absl::OkStatus();
  };
  for (const std::string& path : model.weight_files) WEFT_RETURN_IF_ERROR(add(path));
  for (const ConfigFile& file : model.config_files) {
    if (file.sha256.empty()) {
      WEFT_RETURN_IF_ERROR(add(file.path));
    } else {
      source.push_back({FileName(file.path), file.bytes, file.sha256});
    }
  }
  return source;
}

absl::Status CheckSource(const Plan& plan, const Model& model) {
  const auto differs = [&](absl::string_view file, absl::string_view how) {
    return absl::FailedPreconditionError(absl::StrCat(model.path, ": is not what ", plan.path(),
                                                      " was compiled from: ", file, " ", how,
                                                      " (weft info shows the files)"));
  };
  DigestIndex digests(DigestIndex::DefaultPath());
  WEFT_ASSIGN_OR_RETURN(const std::vector<SourceFile> source, SourceOf(model, &digests));
  const auto named = [](const std::vector<SourceFile>& files, const std::string& name) {
    return std::ranges::find(files, name, &SourceFile::name);
  };
  for (const SourceFile& file : plan.metadata().source) {
    const auto found = named(source, file.name);
    if (found == source.end()) return differs(file.name, "is missing");
    if (found->bytes != file.bytes)
      return differs(file.name, absl::StrCat("has ", found->bytes, " bytes, not ", file.bytes));
    if (found->sha256 != file.sha256) return differs(file.name, "has another sha256");
  }
  for (const SourceFile& file : source) {
    if (named(plan.metadata().source, file.name) == plan.metadata().source.end())
      return differs(file.name, "was not there");
  }
  return absl::OkStatus();
}

}  // namespace weft::tools
