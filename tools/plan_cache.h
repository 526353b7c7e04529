// The compile cache: a folder of plans, each with a description of what it was compiled from.
//   <id>.weft  the plan
//   <id>.json  {"key": PlanKey::content}; its mtime is when the plan was last used
//   <id>.lock  locked by the process that writes or removes the plan
// Plans in use are mapped, so that removing them is harmless.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/file_io.h"
#include "runtime/plan/plan.h"
#include "tools/plan_key.h"

namespace weft::tools {

// "20GB", "1.5 GB", "800M", "4096": bytes, units of 1000.
absl::StatusOr<uint64_t> ParseBytes(absl::string_view text);

class PlanCache {
 public:
  struct Entry {
    std::string id;
    std::string path;  // of the plan
    nlohmann::ordered_json key;
    uint64_t bytes = 0;
    int64_t last_used_ns = 0;  // since 1970
  };
  struct Removed {
    int plans = 0;
    uint64_t bytes = 0;
    absl::Status
        failed;  // the first look or removal that failed: there may be more than was removed
  };

  // "plans" in WeftCacheFolder(); an error where there is none. Touches no disk.
  static absl::StatusOr<PlanCache> Default();
  // The folder need not exist.
  explicit PlanCache(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string PathOf(const PlanKey& key) const;

  // The most that the cache may hold: WEFT_CACHE_SIZE, else 20 GB or, if that is less, half of what
  // the disk has for it. 0 turns the cache off. An error where the variable is no size.
  absl::StatusOr<uint64_t> MaxBytes() const;

  // The plan, marked as used now; null where there is none. An error where it is damaged,
  // or where the folder is not the user's alone.
  absl::StatusOr<std::shared_ptr<const Plan>> Find(const PlanKey& key) const;

  // The plan used last among those of the same weights and compiler, for its packed weights; null
  // where there is none.
  std::shared_ptr<const Plan> FindRelated(const PlanKey& key) const;

  // Waits until no other process writes the plan; `on_wait` is called once before waiting. Makes
  // the folder. Errors: Cancelled once `cancel` is set; a folder that cannot be written to.
  absl::StatusOr<FileLock> Lock(const PlanKey& key, const std::function<void()>& on_wait,
                                const std::atomic<bool>* cancel) const;

  // Before the plan is written, with the lock held: removes what a killed process left of it,
  // writes its description, and makes room for so many bytes. An error where that many are more
  // than MaxBytes().
  absl::Status Prepare(const PlanKey& key, uint64_t bytes) const;

  // Complete plans, used last first. An error where one of them, or the folder, cannot be looked
  // at.
  absl::StatusOr<std::vector<Entry>> List() const;

  // Removes the plans used longest ago until at most `max_bytes` are left, and what killed
  // processes left; not what a process is just writing.
  Removed Prune(uint64_t max_bytes) const;

 private:
  // These go on where a look fails, and tell the first failure.
  std::vector<std::string> Ids(absl::Status& failed) const;
  std::vector<Entry> Entries(absl::Status& failed) const;
  // Nothing where the plan is not complete.
  absl::StatusOr<std::optional<Entry>> EntryOf(const std::string& id) const;
  std::string File(const std::string& id, const char* extension) const;
  void RemoveLeftovers(const std::string& id) const;
  absl::StatusOr<bool> Remove(const std::string& id, bool even_if_whole) const;

  std::string folder_;
};

}  // namespace weft::tools
