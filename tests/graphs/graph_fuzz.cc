// The command: random graphs from a seed, or cases from files.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "tests/graphs/campaign.h"

namespace {

constexpr char kHelp[] =
    R"(Random graphs, compiled in several ways, against the reference evaluator.

  --seed N       of the first graph; the next have N + 1, … (default: a fresh one, printed)
  --count N      graphs (default 500)
  --minutes M    stop after so long; without --count only then
  --variants N   ways to compile and run each graph (default 2)
  --palette N    so many graphs in a row share dims, and so kernels (default 125): more of them run
                 faster and meet fewer shapes
  --findings DIR write each finding, made small, to a file there
  --most N       stop after so many findings (default 20)
  --minimise N   checks spent on making a finding small (default 400)
  --print        print the graphs instead of running them
  --replay FILE… run cases from files
)";

int Fail(const std::string& message) {
  fprintf(stderr, "%s (see --help)\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  weft::graphs::CampaignOptions options{.seed = std::random_device()(), .count = -1};
  bool print = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help") {
      printf("%s", kHelp);
      return 0;
    }
    if (flag == "--replay") {
      if (i + 1 == argc) return Fail("--replay takes files");
      return weft::graphs::Replay({argv + i + 1, argv + argc}) == 0 ? 0 : 1;
    }
    if (flag == "--print") {
      print = true;
      continue;
    }
    if (i + 1 == argc) return Fail(flag + " is unknown, or lacks its value");
    const std::string value = argv[++i];
    bool good = true;
    if (flag == "--seed") {
      good = absl::SimpleAtoi(value, &options.seed);
    } else if (flag == "--count") {
      good = absl::SimpleAtoi(value, &options.count) && options.count > 0;
    } else if (flag == "--minutes") {
      good = absl::SimpleAtod(value, &options.minutes) && options.minutes > 0;
    } else if (flag == "--variants") {
      good = absl::SimpleAtoi(value, &options.variants) && options.variants > 0;
    } else if (flag == "--palette") {
      good = absl::SimpleAtoi(value, &options.graphs_per_palette) && options.graphs_per_palette > 0;
    } else if (flag == "--most") {
      good = absl::SimpleAtoi(value, &options.most_findings) && options.most_findings > 0;
    } else if (flag == "--minimise") {
      good = absl::SimpleAtoi(value, &options.minimise_checks) && options.minimise_checks >= 0;
    } else if (flag == "--findings") {
      options.folder = value;
    } else {
      return Fail("there is no " + flag);
    }
    if (!good) return Fail(flag + " cannot be '" + value + "'");
  }
  if (options.count < 0) options.count = options.minutes > 0 ? 0 : 500;
  if (print) {
    weft::graphs::PrintCases(options);
    return 0;
  }
  return weft::graphs::RunCampaign(options) == 0 ? 0 : 1;
}
