// The subcommands of `weft`. Each registers its options and, when it is the one asked for, leaves
// in `*chosen` what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace weft::tools {

// A status for what the input or the environment got wrong; commands print their results
// themselves.
using Command = std::function<absl::Status()>;

void AddPull(CLI::App* app, Command* chosen);
void AddInfo(CLI::App* app, Command* chosen);
void AddDump(CLI::App* app, Command* chosen);
void AddCompile(CLI::App* app, Command* chosen);
void AddRun(CLI::App* app, Command* chosen);
void AddEval(CLI::App* app, Command* chosen);
void AddLogits(CLI::App* app, Command* chosen);
void AddTokenize(CLI::App* app, Command* chosen);
void AddSynth(CLI::App* app, Command* chosen);
void AddVerify(CLI::App* app, Command* chosen);
void AddDiff(CLI::App* app, Command* chosen);
void AddProfile(CLI::App* app, Command* chosen);
void AddExplore(CLI::App* app, Command* chosen);
void AddBench(CLI::App* app, Command* chosen);
void AddWhy(CLI::App* app, Command* chosen);
void AddCache(CLI::App* app, Command* chosen);

}  // namespace weft::tools
