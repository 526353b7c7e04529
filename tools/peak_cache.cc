#include "tools/peak_cache.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "frontends/hub/file_io.h"
#include "nlohmann/json.hpp"
#include "runtime/base/cache_folder.h"
#include "runtime/base/cpu.h"
#include "runtime/base/json_reader.h"
#include "runtime/version.h"

namespace weft::tools {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 20;  // of a machine some hundred

nlohmann::json Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadPrivateFile(path, kMaxBytes);
  auto all = ParseJsonObject(text.ok() ? *text : "", path);
  return all.ok() ? *std::move(all) : nlohmann::json::object();
}

// 0 where there is none.
double NumberOf(const nlohmann::json& entry, const char* name) {
  return entry.is_object() && entry.contains(name) && entry[name].is_number()
             ? entry[name].get<double>()
             : 0;
}

}  // namespace

ArithmeticPeaks PeakCache::Best(const std::string& key, const ArithmeticPeaks& measured) {
  if (path_.empty()) return measured;
  nlohmann::json all = Read(path_);
  const nlohmann::json known = all.contains(key) ? all[key] : nlohmann::json();
  const ArithmeticPeaks best = {std::max(measured.q8_0, NumberOf(known, "q8_0")),
                                std::max(measured.f32, NumberOf(known, "f32"))};
  all[key] = {{"q8_0", best.q8_0}, {"f32", best.f32}};
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (all[key] != known && MakePrivateFolder(folder).ok())
    (void)WriteFileByRename(path_, all.dump(1) + "\n");
  return best;
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
