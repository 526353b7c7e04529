#include "tools/plan_key.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/model.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan_format.h"
#include "runtime/version.h"
#include "tools/json_text.h"
#include "tools/recorded_options.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

// Notes are padded to 4 bytes (elf(5)).
size_t Padded(size_t bytes) { return (bytes + 3) / 4 * 4; }

// The build id among the notes; empty where there is none.
std::string BuildIdIn(const char* notes, size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::memcpy(&header, notes, sizeof(header));
    const size_t name = sizeof(header);
    const size_t content = name + Padded(header.n_namesz);
    const size_t end = content + Padded(header.n_descsz);
    if (end > size) return "";
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
        std::memcmp(notes + name, "GNU", 4) == 0) {
      return absl::BytesToHexString({notes + content, header.n_descsz});
    }
    notes += end;
    size -= end;
  }
  return "";
}

// Appends the build ids of the program and of LLVM's libraries, which together are the compiler.
int AddBuildId(dl_phdr_info* object, size_t /*size*/, void* ids) {
  const absl::string_view name = object->dlpi_name;
  if (!name.empty() && !absl::StrContains(name, "LLVM")) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
    const auto* notes = reinterpret_cast<const char*>(object->dlpi_addr + part.p_vaddr);
    absl::StrAppend(static_cast<std::string*>(ids), BuildIdIn(notes, part.p_memsz), " ");
  }
  return 0;
}

// Tells one build of the compiler from another: versions alone do not where it is being worked on.
std::string CompilerBuild() {
  std::string ids;
  dl_iterate_phdr(AddBuildId, &ids);
  if (ids.find_first_not_of(' ') == std::string::npos) {
    struct stat info = {};
    if (stat("/proc/self/exe", &info) == 0)
      ids = absl::StrCat(info.st_size, " ", info.st_mtim.tv_sec, " ", info.st_mtim.tv_nsec);
  }
  return absl::StrFormat("%016x", Checksum::Of(ids));
}

absl::StatusOr<Json> DescribeFiles(const std::vector<std::string>& paths, DigestIndex* digests) {
  Json files = Json::array();
  for (const std::string& path : paths) {
    WEFT_ASSIGN_OR_RETURN(const std::string digest, digests->Sha256(path));
    files.push_back(
        {{"name", std::filesystem::path(path).filename().string()}, {"sha256", digest}});
  }
  return files;
}

}  // namespace

Json DescribeOptions(const CompileSettings& settings, int64_t context) {
  Json options = Json::object();
  for (const PlanMetadata::Option& option : RecordOptions(settings, context)) {
    Json& value = options[option.name];
    if (value.is_null()) {
      value = option.value;
    } else {
      if (!value.is_array()) value = Json::array({value});
      value.push_back(option.value);
    }
  }
  return options;
}

absl::StatusOr<PlanKey> MakePlanKey(const std::string& path, const CompileSettings& settings,
                                    int64_t context, DigestIndex* digests) {
  WEFT_ASSIGN_OR_RETURN(const ModelFiles files, FindModelFiles(path));
  WEFT_ASSIGN_OR_RETURN(const Json weights, DescribeFiles(files.weights, digests));
  WEFT_ASSIGN_OR_RETURN(const Json config, DescribeFiles(files.config, digests));
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  PlanKey key;
  key.content = {{"compiler",
                  {{"weft", kVersion}, {"format", kPlanFormatVersion}, {"build", CompilerBuild()}}},
                 {"cpu", {{"model", CpuModelName()}, {"features", cpu.ToString()}}},
                 {"model", files.name},
                 {"weights", weights},
                 {"config", config},
                 {"options", DescribeOptions(settings, context)}};
  const std::string text = JsonText(key.content);
  key.content = Json::parse(text);  // names that are no UTF-8 as they come back from a file
  key.id = absl::StrFormat("%016x", Checksum::Of(text));
  return key;
}

}  // namespace weft::tools
