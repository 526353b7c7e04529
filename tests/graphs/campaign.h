// Many random graphs, one after another, in processes of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::graphs {

struct CampaignOptions {
  uint64_t seed = 0;
  int64_t count = 0;   // graphs; 0: until the time is up
  double minutes = 0;  // 0: until the count is reached
  int variants = 2;    // of each graph
  // So many share dims, and so kernels, and a process, whose memory these fill.
  uint64_t graphs_per_palette = 125;
  int64_t most_findings = 20;  // stops there
  int minimise_checks = 400;   // at most, for each finding
  std::string folder;          // where findings are written; empty: nowhere
};

// Prints progress and findings, then the totals. Graph i of seed s is always the same one for the
// same variants and palettes: with seed s + i and a count of 1 it is run again alone. Returns the
// number of findings.
int64_t RunCampaign(const CampaignOptions& options);

// Prints the cases instead of running them.
void PrintCases(const CampaignOptions& options);

// Runs cases from files, in order; returns how many fail, and prints why.
int64_t Replay(const std::vector<std::string>& paths);

}  // namespace weft::graphs
