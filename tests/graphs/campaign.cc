#include "tests/graphs/campaign.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/graphs/case_check.h"
#include "tests/graphs/forked.h"
#include "tests/graphs/graph_generator.h"
#include "tests/graphs/minimise.h"

namespace weft::graphs {
namespace {

// Totals of the children, by name: sums, but for shares, of which the largest counts.
using Totals = std::map<std::string, double>;

void Add(const std::string& name, double value, Totals* totals) {
  double& total = (*totals)[name];
  total = name.starts_with("share ") ? std::max(total, value) : total + value;
}

GraphCase CaseOf(const CampaignOptions& options, uint64_t seed, int64_t* rejected) {
  return RandomCase(RandomPalette(seed / options.graphs_per_palette), seed, options.variants,
                    rejected);
}

// Graphs [begin, end) of one palette. Writes a line for each before and after its check, and then
// what there is to add up.
void RunPalette(const CampaignOptions& options, uint64_t begin, uint64_t end, int fd) {
  CaseChecker checker;
  int64_t rejected = 0;
  std::map<std::string, int64_t> features;
  for (uint64_t seed = begin; seed < end; ++seed) {
    alarm(kHangSeconds);
    WriteAll(fd, absl::StrCat("begin\t", seed, "\n"));
    const GraphCase graph_case = CaseOf(options, seed, &rejected);
    for (const std::string& feature : Features(graph_case.module)) ++features[feature];
    const absl::Status status = checker.Check(graph_case);
    if (!status.ok()) {
      std::string line(status.message());
      std::ranges::replace(line, '\n', ' ');
      WriteAll(fd, absl::StrCat("failed\t", seed, "\t", line, "\n"));
    }
  }
  const CheckStats& stats = checker.stats();
  const auto total = [fd](const std::string& name, double value) {
    WriteAll(fd, absl::StrCat("total\t", name, "\t", value, "\n"));
  };
  total("graphs", static_cast<double>(stats.graphs));
  total("variants", static_cast<double>(stats.variants));
  total("poisoned", static_cast<double>(stats.poisoned));
  total("cut", static_cast<double>(stats.cut));
  total("plans", static_cast<double>(stats.plans));
  total("lowerings", static_cast<double>(stats.lowerings));
  total("kernels", static_cast<double>(checker.kernels().compiled()));
  total("kernels used", static_cast<double>(checker.kernels().used()));
  total("rejected", static_cast<double>(rejected));
  for (const auto& [op, step] : stats.steps) {
    total(absl::StrCat("share ", op), step.share);
    total(absl::StrCat("values ", op), static_cast<double>(step.values));
    total(absl::StrCat("exact ", op), static_cast<double>(step.exact));
  }
  for (const auto& [subset, count] : stats.subsets)
    total(absl::StrCat("subset ", subset), static_cast<double>(count));
  for (const auto& [feature, count] : features)
    total(absl::StrCat("feature ", feature), static_cast<double>(count));
}

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options), start_(std::chrono::steady_clock::now()) {}

  int64_t Run() {
    printf("seed %llu\n", static_cast<unsigned long long>(options_.seed));
    uint64_t seed = options_.seed;
    const uint64_t last =
        options_.count > 0 ? seed + static_cast<uint64_t>(options_.count) : UINT64_MAX;
    while (seed < last && !TimeIsUp() && !Full()) {
      const uint64_t border =
          (seed / options_.graphs_per_palette + 1) * options_.graphs_per_palette;
      seed = RunSome(seed, std::min(border, last));
      printf("%.0f graphs up to seed %llu, %lld findings, %.1f minutes\n", totals_["graphs"],
             static_cast<unsigned long long>(seed), static_cast<long long>(findings_), Minutes());
      fflush(stdout);
    }
    PrintTotals();
    return findings_;
  }

 private:
  double Minutes() const {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    return spent.count() / 60;
  }
  bool TimeIsUp() const { return options_.minutes > 0 && Minutes() >= options_.minutes; }

  bool Full() const { return findings_ >= options_.most_findings; }

  // Returns the seed to go on with: past one that took the child down.
  uint64_t RunSome(uint64_t begin, uint64_t end) {
    const ForkedResult result = RunForked([&](int fd) { RunPalette(options_, begin, end, fd); });
    uint64_t seed = begin;
    for (const absl::string_view line : absl::StrSplit(result.output, '\n', absl::SkipEmpty())) {
      const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits('\t', 2));
      if (parts[0] == "begin") {
        seed = std::stoull(parts[1]);
      } else if (parts[0] == "failed" && !Full()) {
        Report(std::stoull(parts[1]), parts[2]);
      } else if (parts[0] == "total") {
        Add(parts[1], std::stod(parts[2]), &totals_);
      }
    }
    if (result.death.empty()) return end;
    Report(seed, absl::StrCat("crash: ", result.death));
    return seed + 1;
  }

  void Report(uint64_t seed, const std::string& failure) {
    ++findings_;
    printf("\nFINDING, seed %llu: %s\n", static_cast<unsigned long long>(seed), failure.c_str());
    const std::string kind = KindOf(absl::InternalError(failure));
    const GraphCase whole = CaseOf(options_, seed, nullptr);
    const GraphCase small = MinimiseForked(whole, kind);
    const std::string text =
        absl::StrCat("# Seed ", seed, ": ", CheckForked(small).message(), "\n", Print(small));
    printf("%zu nodes of %zu are left:\n%s\n", small.module.order().size(),
           whole.module.order().size(), text.c_str());
    fflush(stdout);
    if (options_.folder.empty()) return;
    const std::string path = absl::StrCat(options_.folder, "/seed-", seed, ".graph");
    std::ofstream(path) << text;
    printf("written to %s; to run it again: --replay %s\n", path.c_str(), path.c_str());
  }

  // In one child, where kernels are compiled once; where that dies, each check in its own.
  GraphCase MinimiseForked(const GraphCase& whole, const std::string& kind) const {
    const ForkedResult result = RunForked([&](int fd) {
      CaseChecker checker;
      const auto check = [&checker](const GraphCase& graph_case) {
        alarm(kHangSeconds);
        return checker.Check(graph_case);
      };
      WriteAll(fd, Print(Minimise(whole, kind, check, options_.minimise_checks)));
    });
    auto small = ParseCase(result.output);
    if (result.death.empty() && small.ok()) return *std::move(small);
    return Minimise(whole, kind, CheckForked, options_.minimise_checks);
  }

  void PrintTotals() const {
    const auto total = [this](const std::string& name) {
      const auto found = totals_.find(name);
      return found == totals_.end() ? 0.0 : found->second;
    };
    printf(
        "%.0f graphs, %.0f compiled variants (%.0f under the checking executor, %.0f by way of a "
        "plan), %.0f kernels compiled for %.0f uses, %.0f graphs with weights that are cut, "
        "%.0f drawn anew; %.1f minutes\n",
        total("graphs"), total("variants"), total("poisoned"), total("plans"), total("kernels"),
        total("kernels used"), total("cut"), total("rejected"), Minutes());
    size_t subsets = 0;
    size_t features = 0;
    for (const auto& [name, value] : totals_) {
      subsets += name.starts_with("subset ") ? 1 : 0;
      features += name.starts_with("feature ") ? 1 : 0;
    }
    printf("%zu combinations of target and passes left out, %zu features of graphs\n", subsets,
           features);
    for (const auto& [name, value] : totals_) {
      if (!name.starts_with("values ")) continue;
      const std::string op = name.substr(name.find(' ') + 1);
      printf("  %-14s %12.0f values, %12.0f exact, at most %.3f of the bound\n", op.c_str(), value,
             total("exact " + op), total("share " + op));
    }
    printf("%lld findings\n", static_cast<long long>(findings_));
  }

  const CampaignOptions options_;
  const std::chrono::steady_clock::time_point start_;
  Totals totals_;
  int64_t findings_ = 0;
};

}  // namespace

int64_t RunCampaign(const CampaignOptions& options) { return Campaign(options).Run(); }

void PrintCases(const CampaignOptions& options) {
  for (int64_t i = 0; i < options.count; ++i) {
    const uint64_t seed = options.seed + static_cast<uint64_t>(i);
    printf("%s\n", Print(CaseOf(options, seed, nullptr)).c_str());
  }
}

int64_t Replay(const std::vector<std::string>& paths) {
  int64_t failed = 0;
  for (const std::string& path : paths) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    const auto graph_case = ParseCase(text.str());
    const absl::Status status = graph_case.ok() ? CheckForked(*graph_case) : graph_case.status();
    printf("%s: %s\n", path.c_str(), status.ok() ? "ok" : status.ToString().c_str());
    failed += status.ok() ? 0 : 1;
  }
  return failed;
}

}  // namespace weft::graphs
