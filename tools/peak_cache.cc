#include "tools/peak_cache.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "frontends/hub/file_io.h"
#include "nlohmann/json.hpp"
#include "runtime/base/cache_folder.h"
#include "runtime/base/cpu.h"
#include "runtime/base/read_file.h"
#include "runtime/version.h"

namespace weft::tools {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 20;  // of a machine some hundred

nlohmann::json Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFileToString(path, kMaxBytes);
  auto all = nlohmann::json::parse(text.ok() ? *text : "", nullptr, /*allow_exceptions=*/false);
  return all.is_object() ? all : nlohmann::json::object();
}

double Positive(const nlohmann::json& entry, const char* name) {
  const auto field = entry.find(name);
  return field != entry.end() && field->is_number() ? field->get<double>() : 0;
}

}  // namespace

std::optional<ArithmeticPeaks> PeakCache::Find(const std::string& key) const {
  if (path_.empty()) return std::nullopt;
  const nlohmann::json all = Read(path_);
  const auto entry = all.find(key);
  if (entry == all.end() || !entry->is_object()) return std::nullopt;
  const ArithmeticPeaks peaks = {Positive(*entry, "q8_0"), Positive(*entry, "f32")};
  if (peaks.f32 <= 0) return std::nullopt;
  return peaks;
}

void PeakCache::Add(const std::string& key, const ArithmeticPeaks& peaks) {
  if (path_.empty()) return;
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (!MakePrivateFolder(folder).ok()) return;
  nlohmann::json all = Read(path_);
  all[key] = {{"q8_0", peaks.q8_0}, {"f32", peaks.f32}};
  (void)WriteFileByRename(path_, all.dump(1) + "\n");
}

std::string PeakCache::MachineKey(absl::string_view target, int threads) {
  const auto cpu = UsableCpuFeatures();
  return absl::StrCat(CpuModelName(), "; ", cpu.ok() ? cpu->ToString() : "", "; ", target, "; ",
                      threads, threads == 1 ? " thread; weft " : " threads; weft ", kVersion);
}

std::string PeakCache::DefaultPath() {
  const std::string folder = WeftCacheFolder();
  const bool off = ValueOf(ProcessEnvironment(), "WEFT_CACHE_SIZE") == "0";
  return off || folder.empty() ? "" : folder + "/peaks.json";
}

}  // namespace weft::tools
