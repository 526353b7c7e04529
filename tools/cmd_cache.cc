#include <ctime>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/digest_index.h"
#include "tools/json_text.h"
#include "tools/plan_cache.h"
#include "tools/plan_key.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

struct CacheArguments {
  bool json = false;
  std::string max_size;
};

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : JsonText(value);
}

// The options that are not as commands have them when none is given.
std::string ShownOptions(const Json& options, const Json& defaults) {
  std::vector<std::string> shown;
  for (const auto& [name, value] : options.items()) {
    if (defaults.value(name, Json()) == value) continue;
    if (value.is_array()) {
      for (const Json& each : value) shown.push_back(absl::StrCat("--", name, " ", TextOf(each)));
    } else {
      shown.push_back(absl::StrCat("--", name, " ", TextOf(value)));
    }
  }
  return shown.empty() ? "-" : absl::StrJoin(shown, " ");
}

absl::StatusOr<Json> DefaultOptions() {
  const ModelArguments none;
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(none));
  settings.pipeline.pass.max_logit_rows = kLogitRows;
  return DescribeOptions(settings, none.context);
}

std::string Ago(absl::Duration past) {
  if (past < absl::Minutes(1)) return "just now";
  const auto text = [](int64_t count, const char* unit) {
    return absl::StrCat(count, " ", unit, count == 1 ? "" : "s", " ago");
  };
  if (past < absl::Hours(1)) return text(past / absl::Minutes(1), "minute");
  if (past < absl::Hours(48)) return text(past / absl::Hours(1), "hour");
  return text(past / absl::Hours(24), "day");
}

absl::Status RunList(const CacheArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const PlanCache cache, PlanCache::Default());
  WEFT_ASSIGN_OR_RETURN(const uint64_t most, cache.MaxBytes());
  WEFT_ASSIGN_OR_RETURN(const Json defaults, DefaultOptions());
  uint64_t bytes = 0;
  Json plans = Json::array();
  Table table({"model", "options", "size", "last used"});
  table.AlignRight({2});
  WEFT_ASSIGN_OR_RETURN(const std::vector<PlanCache::Entry> entries, cache.List());
  for (const PlanCache::Entry& entry : entries) {
    bytes += entry.bytes;
    const absl::Time used = absl::FromUnixNanos(entry.last_used_ns);
    const std::string model = TextOf(entry.key.value("model", Json("?")));
    const Json options = entry.key.value("options", Json::object());
    table.Add(
        {model, ShownOptions(options, defaults), HumanBytes(entry.bytes), Ago(absl::Now() - used)});
    plans.push_back({{"model", model},
                     {"options", options},
                     {"weights", entry.key.value("weights", Json())},
                     {"compiler", entry.key.value("compiler", Json())},
                     {"bytes", entry.bytes},
                     {"last_used", absl::FormatTime(absl::RFC3339_sec, used, absl::UTCTimeZone())},
                     {"path", entry.path}});
  }
  if (arguments.json) {
    const Json json = {
        {"folder", cache.folder()}, {"bytes", bytes}, {"max_bytes", most}, {"plans", plans}};
    std::cout << JsonText(json, 2) << "\n";
    return absl::OkStatus();
  }
  if (!plans.empty()) std::cout << table.ToString() << "\n";
  std::cout << absl::StrFormat("%d plan%s, %s of at most %s in %s\n", plans.size(),
                               plans.size() == 1 ? "" : "s", HumanBytes(bytes), HumanBytes(most),
                               cache.folder());
  return absl::OkStatus();
}

absl::Status PruneTo(const PlanCache& cache, uint64_t max_bytes) {
  const PlanCache::Removed removed = cache.Prune(max_bytes);
  WEFT_RETURN_IF_ERROR(removed.failed);
  uint64_t left = 0;
  WEFT_ASSIGN_OR_RETURN(const std::vector<PlanCache::Entry> entries, cache.List());
  for (const PlanCache::Entry& entry : entries) left += entry.bytes;
  std::cout << absl::StrFormat("removed %d plan%s, %s; left: %d, %s\n", removed.plans,
                               removed.plans == 1 ? "" : "s", HumanBytes(removed.bytes),
                               entries.size(), HumanBytes(left));
  return absl::OkStatus();
}

absl::Status RunPrune(const CacheArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const PlanCache cache, PlanCache::Default());
  absl::StatusOr<uint64_t> most =
      arguments.max_size.empty() ? cache.MaxBytes() : ParseBytes(arguments.max_size);
  if (!most.ok()) return most.status();
  return PruneTo(cache, *most);
}

absl::Status RunClear() {
  WEFT_ASSIGN_OR_RETURN(const PlanCache cache, PlanCache::Default());
  const std::string digests = DigestIndex::DefaultPath();
  std::error_code error;
  std::filesystem::remove(digests, error);
  WEFT_RETURN_IF_ERROR(PruneTo(cache, 0));
  return error ? PosixError(error.value(), digests, "remove") : absl::OkStatus();
}

}  // namespace

void AddCache(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<CacheArguments>();
  CLI::App* command = app->add_subcommand(
      "cache", "the plans that run, eval, logits and why compiled and keep for the next time");
  command->require_subcommand(1);
  command->footer(
      "Environment: WEFT_CACHE_SIZE, the most it may hold, such as 50GB; 0: nothing is kept "
      "(default: 20 GB or, if that is less, half of what the disk has for it). It lies in "
      "$XDG_CACHE_HOME/weft/plans, else ~/.cache/weft/plans.");
  CLI::App* list = command->add_subcommand("list", "what it holds, used last first");
  list->add_flag("--json", arguments->json, "print JSON");
  list->callback([arguments, chosen] { *chosen = [arguments] { return RunList(*arguments); }; });
  CLI::App* prune = command->add_subcommand(
      "prune", "remove the plans used longest ago until it holds at most so many bytes");
  prune
      ->add_option("--max-size", arguments->max_size,
                   "such as 5GB (default: what WEFT_CACHE_SIZE or its default allow)")
      ->check(CLI::Validator(
          [](const std::string& text) { return std::string(ParseBytes(text).status().message()); },
          ""))
      ->type_name("SIZE");
  prune->callback([arguments, chosen] { *chosen = [arguments] { return RunPrune(*arguments); }; });
  CLI::App* clear = command->add_subcommand("clear", "remove everything that it holds");
  clear->callback([chosen] { *chosen = [] { return RunClear(); }; });
}

}  // namespace weft::tools
