#include "tools/trace_table.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

// All steps that run one kernel.
struct Row {
  std::string kernel;
  std::string detail;
  StepProfile sum;
};

std::vector<Row> Rows(const Executor& executor) {
  std::map<std::string, Row> by_kernel;
  const std::vector<Step>& steps = executor.program().steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    const StepProfile& profile = executor.profile().steps[i];
    if (profile.calls == 0) continue;
    Row& row = by_kernel[steps[i].kernel];
    row.kernel = steps[i].kernel;
    row.detail = steps[i].detail;
    row.sum.min_ns = row.sum.calls == 0 ? profile.min_ns : std::min(row.sum.min_ns, profile.min_ns);
    row.sum.max_ns = std::max(row.sum.max_ns, profile.max_ns);
    row.sum.calls += profile.calls;
    row.sum.total_ns += profile.total_ns;
    row.sum.weight_bytes += profile.weight_bytes;
    row.sum.macs += profile.macs;
  }
  std::vector<Row> rows;
  for (auto& [kernel, row] : by_kernel) rows.push_back(std::move(row));
  std::ranges::sort(rows,
                    [](const Row& a, const Row& b) { return a.sum.total_ns > b.sum.total_ns; });
  return rows;
}

std::string Micros(double ns) { return absl::StrFormat("%.1f", ns / 1e3); }
std::string Millis(int64_t ns) { return absl::StrFormat("%.2f", static_cast<double>(ns) / 1e6); }

}  // namespace

std::string TraceTable(const Executor& executor) {
  const int64_t wall = executor.profile().total_ns;
  const auto share = [wall](int64_t ns) {
    return wall == 0 ? std::string("-")
                     : absl::StrFormat("%.1f %%",
                                       100.0 * static_cast<double>(ns) / static_cast<double>(wall));
  };
  Table table(
      {"step", "calls", "mean us", "min us", "max us", "total ms", "GB/s", "GMAC/s", "share"});
  table.AlignRight({1, 2, 3, 4, 5, 6, 7, 8});
  int64_t rest = wall;
  for (const Row& row : Rows(executor)) {
    const StepProfile& sum = row.sum;
    const bool matmul = sum.macs > 0;
    table.Add(
        {row.kernel, absl::StrFormat("%d", sum.calls), Micros(sum.MeanNs()),
         Micros(static_cast<double>(sum.min_ns)), Micros(static_cast<double>(sum.max_ns)),
         Millis(sum.total_ns), matmul ? absl::StrFormat("%.1f", sum.GigabytesPerSecond()) : "-",
         matmul ? absl::StrFormat("%.1f", sum.GigamacsPerSecond()) : "-", share(sum.total_ns)});
    rest -= sum.total_ns;
  }
  table.Add({"between steps", "", "", "", "", Millis(rest), "", "", share(rest)});
  return absl::StrFormat("%s\n%d runs, %s ms\n", table.ToString(), executor.profile().runs,
                         Millis(wall));
}

nlohmann::ordered_json TraceJson(const Executor& executor) {
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const Row& row : Rows(executor)) {
    steps.push_back({{"kernel", row.kernel},
                     {"weights", row.detail},
                     {"calls", row.sum.calls},
                     {"mean_ns", row.sum.MeanNs()},
                     {"min_ns", row.sum.min_ns},
                     {"max_ns", row.sum.max_ns},
                     {"total_ns", row.sum.total_ns},
                     {"weight_bytes", row.sum.weight_bytes},
                     {"macs", row.sum.macs},
                     {"gb_per_s", row.sum.GigabytesPerSecond()}});
  }
  return {{"runs", executor.profile().runs},
          {"total_ns", executor.profile().total_ns},
          {"steps", steps}};
}

}  // namespace weft::tools
