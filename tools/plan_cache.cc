#include "tools/plan_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/cache_folder.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "tools/json_text.h"

namespace weft::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kSizeVariable[] = "WEFT_CACHE_SIZE";
constexpr uint64_t kDefaultBytes = 20'000'000'000;
// A description has some kilobytes.
constexpr size_t kMaxDescription = 4 << 20;
constexpr size_t kIdDigits = 16;
constexpr char kPlan[] = ".weft";
constexpr char kDescription[] = ".json";
constexpr char kLock[] = ".lock";

// The key that a description holds; nothing where it is missing or damaged.
absl::StatusOr<std::optional<Json>> ReadKey(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                        ReadRegularFileIfAny(path, kMaxDescription));
  if (!text || !ParseJsonObject(*text, path).ok()) return std::nullopt;
  // Again, since what is listed keeps its order.
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.contains("key") || !json["key"].is_object()) return std::nullopt;
  return json["key"];
}

// Nothing where there is no file.
absl::StatusOr<std::optional<struct stat>> Stat(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0) return info;
  if (MeansAbsent(errno)) return std::nullopt;
  return PosixError(errno, path, "look at it");
}

uint64_t TotalBytes(const std::vector<PlanCache::Entry>& entries) {
  uint64_t bytes = 0;
  for (const PlanCache::Entry& entry : entries) bytes += entry.bytes;
  return bytes;
}

// What the disk has free for this user, in the folder or the nearest that exists above it.
uint64_t FreeBytes(const std::string& folder) {
  fs::path path(folder);
  struct statvfs info = {};
  while (statvfs(path.c_str(), &info) != 0) {
    if (!path.has_relative_path()) return 0;
    path = path.parent_path();
  }
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

void MarkUsed(const std::string& description) {
  // Where it cannot be marked, it counts as used when it was last marked.
  (void)utimensat(AT_FDCWD, description.c_str(), nullptr, 0);
}

}  // namespace

absl::StatusOr<uint64_t> ParseBytes(absl::string_view text) {
  absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is no size: expected a number of bytes, or one with kB, MB, GB or TB"));
  absl::string_view number = absl::StripAsciiWhitespace(text);
  if (absl::EndsWithIgnoreCase(number, "B")) number.remove_suffix(1);
  constexpr absl::string_view kUnits = "kMGT";
  double factor = 1;
  if (!number.empty()) {
    for (size_t i = 0; i < kUnits.size(); ++i) {
      if (absl::ascii_tolower(number.back()) == absl::ascii_tolower(kUnits[i]))
        factor = std::pow(1000.0, static_cast<double>(i + 1));
    }
    if (factor > 1) number.remove_suffix(1);
  }
  double value = 0;
  // Above 2^53 bytes a double is not exact; nor is a bound on a disk.
  constexpr double kMost = 1e18;
  if (!absl::SimpleAtod(absl::StripTrailingAsciiWhitespace(number), &value) ||
      !(value >= 0 && value * factor <= kMost)) {
    return bad;
  }
  return static_cast<uint64_t>(value * factor);
}

absl::StatusOr<PlanCache> PlanCache::Default() {
  const std::string cache = WeftCacheFolder();
  if (cache.empty()) return absl::FailedPreconditionError("neither HOME nor XDG_CACHE_HOME is set");
  return PlanCache(cache + "/plans");
}

std::string PlanCache::File(const std::string& id, const char* extension) const {
  return absl::StrCat(folder_, "/", id, extension);
}

std::string PlanCache::PathOf(const PlanKey& key) const { return File(key.id, kPlan); }

absl::StatusOr<uint64_t> PlanCache::MaxBytes() const {
  if (const std::string set = ValueOf(ProcessEnvironment(), kSizeVariable); !set.empty()) {
    absl::StatusOr<uint64_t> bytes = ParseBytes(set);
    if (bytes.ok()) return bytes;
    return absl::InvalidArgumentError(absl::StrCat(kSizeVariable, ": ", bytes.status().message()));
  }
  absl::Status ignored;
  return std::min(kDefaultBytes, (FreeBytes(folder_) + TotalBytes(Entries(ignored))) / 2);
}

absl::StatusOr<std::shared_ptr<const Plan>> PlanCache::Find(const PlanKey& key) const {
  const std::string description = File(key.id, kDescription);
  WEFT_ASSIGN_OR_RETURN(const std::optional<Json> found, ReadKey(description));
  std::error_code error;
  if (!found || *found != key.content || !fs::exists(PathOf(key), error)) return nullptr;
  WEFT_RETURN_IF_ERROR(CheckPrivateFolder(folder_));
  WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, Plan::Open(PathOf(key)));
  MarkUsed(description);
  return plan;
}

std::shared_ptr<const Plan> PlanCache::FindRelated(const PlanKey& key) const {
  absl::Status ignored;
  for (const Entry& entry : Entries(ignored)) {
    if (entry.key.value("weights", Json()) != key.content["weights"] ||
        entry.key.value("compiler", Json()) != key.content["compiler"]) {
      continue;
    }
    if (absl::StatusOr<std::shared_ptr<const Plan>> plan = Plan::Open(entry.path); plan.ok())
      return *std::move(plan);
  }
  return nullptr;
}

absl::StatusOr<FileLock> PlanCache::Lock(const PlanKey& key, const std::function<void()>& on_wait,
                                         const std::atomic<bool>* cancel) const {
  WEFT_RETURN_IF_ERROR(MakePrivateFolder(folder_));
  for (bool told = false;; told = true) {
    WEFT_ASSIGN_OR_RETURN(std::optional<FileLock> lock, FileLock::TryAcquire(File(key.id, kLock)));
    if (lock) return *std::move(lock);
    if (cancel != nullptr && *cancel) return absl::CancelledError("interrupted");
    if (!told) on_wait();
    // Short beside what compiling takes. The system's own wait would not end with `cancel`.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

absl::Status PlanCache::Prepare(const PlanKey& key, uint64_t bytes) const {
  RemoveLeftovers(key.id);
  WEFT_ASSIGN_OR_RETURN(const uint64_t most, MaxBytes());
  if (bytes > most) {
    return absl::ResourceExhaustedError(absl::StrCat("the plan takes ", HumanBytes(bytes),
                                                     ", the cache may hold ", HumanBytes(most),
                                                     " (", kSizeVariable, ")"));
  }
  Prune(most - bytes);
  const Json description = {{"key", key.content}};
  return WriteFileByRename(File(key.id, kDescription), JsonText(description, 2) + "\n");
}

// Of all files of the cache, whole or not; files of other names are not its own.
std::vector<std::string> PlanCache::Ids(absl::Status& failed) const {
  std::set<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string id = name.substr(0, kIdDigits);
    if (name.size() > kIdDigits && name[kIdDigits] == '.' &&
        std::ranges::all_of(id, [](char c) { return absl::ascii_isxdigit(c); })) {
      ids.insert(id);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory)
    failed.Update(PosixError(error.value(), folder_, "read"));
  return {ids.begin(), ids.end()};
}

absl::StatusOr<std::optional<PlanCache::Entry>> PlanCache::EntryOf(const std::string& id) const {
  Entry entry{.id = id, .path = File(id, kPlan)};
  const std::string description = File(id, kDescription);
  WEFT_ASSIGN_OR_RETURN(std::optional<Json> key, ReadKey(description));
  WEFT_ASSIGN_OR_RETURN(const std::optional<struct stat> described, Stat(description));
  WEFT_ASSIGN_OR_RETURN(const std::optional<struct stat> plan, Stat(entry.path));
  if (!key || !described || !plan) return std::nullopt;
  entry.key = *std::move(key);
  entry.bytes = static_cast<uint64_t>(plan->st_size) + static_cast<uint64_t>(described->st_size);
  entry.last_used_ns = described->st_mtim.tv_sec * 1'000'000'000 + described->st_mtim.tv_nsec;
  return entry;
}

std::vector<PlanCache::Entry> PlanCache::Entries(absl::Status& failed) const {
  std::vector<Entry> entries;
  for (const std::string& id : Ids(failed)) {
    absl::StatusOr<std::optional<Entry>> entry = EntryOf(id);
    failed.Update(entry.status());
    if (entry.ok() && *entry) entries.push_back(**std::move(entry));
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.last_used_ns != b.last_used_ns ? a.last_used_ns > b.last_used_ns : a.id < b.id;
  });
  return entries;
}

absl::StatusOr<std::vector<PlanCache::Entry>> PlanCache::List() const {
  absl::Status failed;
  std::vector<Entry> entries = Entries(failed);
  if (!failed.ok()) return failed;
  return entries;
}

// Temporary files of a killed writer. With the lock held.
void PlanCache::RemoveLeftovers(const std::string& id) const {
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (absl::StartsWith(name, id + ".") && name != id + kPlan && name != id + kDescription &&
        name != id + kLock) {
      fs::remove(it->path(), ignored);
    }
  }
}

// False where nothing was removed but what killed processes left. The lock file goes last.
absl::StatusOr<bool> PlanCache::Remove(const std::string& id, bool even_if_whole) const {
  WEFT_ASSIGN_OR_RETURN(const std::optional<FileLock> lock, FileLock::TryAcquire(File(id, kLock)));
  if (!lock) return false;
  RemoveLeftovers(id);
  if (!even_if_whole) {
    WEFT_ASSIGN_OR_RETURN(const std::optional<Entry> whole, EntryOf(id));
    if (whole) return false;
  }
  for (const char* extension : {kPlan, kDescription, kLock}) {
    std::error_code error;
    fs::remove(File(id, extension), error);
    if (error) return PosixError(error.value(), File(id, extension), "remove");
  }
  return true;
}

PlanCache::Removed PlanCache::Prune(uint64_t max_bytes) const {
  Removed removed;
  absl::Status unseen;
  const std::vector<Entry> entries = Entries(unseen);
  // Where everything goes, so does what cannot be read.
  const bool all = max_bytes == 0;
  if (!all) removed.failed = unseen;
  uint64_t left = TotalBytes(entries);
  for (auto entry = entries.rbegin(); entry != entries.rend() && left > max_bytes; ++entry) {
    const absl::StatusOr<bool> gone = Remove(entry->id, /*even_if_whole=*/true);
    removed.failed.Update(gone.status());
    if (!gone.ok() || !*gone) continue;
    left -= entry->bytes;
    removed.bytes += entry->bytes;
    ++removed.plans;
  }
  // What is not whole is being written, and locked, or nobody's.
  for (const std::string& id : Ids(removed.failed)) {
    const absl::StatusOr<std::optional<Entry>> whole = EntryOf(id);
    if (all || (whole.ok() && !*whole)) removed.failed.Update(Remove(id, all).status());
  }
  return removed;
}

}  // namespace weft::tools
