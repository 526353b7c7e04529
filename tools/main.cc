// The `weft` command. Exit codes: 0 done, 1 the input or the environment was bad, 2 wrong usage,
// 130 interrupted.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "absl/algorithm/container.h"
#include "runtime/base/truncation_guard.h"
#include "runtime/c/command_line.h"
#include "runtime/text/terminal_text.h"
#include "runtime/version.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/out_of_memory.h"

namespace {

// The first word, where a command should stand and none does, or that of a command that has others;
// empty otherwise. CLI11 says only that a command is missing.
std::string NoCommand(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto all = at->get_subcommands(
        [](const CLI::App* each) { return !each->get_name().empty(); });  // no groups of options
    if (all.empty()) return "";
    const auto next =
        absl::c_find_if(all, [&](const CLI::App* each) { return each->check_name(word); });
    if (next == all.end()) return at->get_option_no_throw(word) == nullptr ? word : "";
    at = *next;
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace weft::tools;  // NOLINT(google-build-using-namespace): everything here is theirs
  weft::OccupyStandardFiles();
  // A reader that goes away (| head) is no error worth a message.
  std::signal(SIGPIPE, SIG_DFL);
  // Where it cannot be had, a truncated file ends the process, as it would without.
  (void)weft::GuardTruncatedFiles();
  EndProcessWhereMemoryEnds();
  CLI::App app{
      "weft: compiles transformer models for the CPU they will run on, and shows what it did"};
  app.set_version_flag("--version", std::string("weft ") + weft::kVersion);
  app.require_subcommand(1);
  Command chosen;
  AddPull(&app, &chosen);
  AddInfo(&app, &chosen);
  AddDump(&app, &chosen);
  AddWhy(&app, &chosen);
  AddCompile(&app, &chosen);
  AddRun(&app, &chosen);
  AddVerify(&app, &chosen);
  AddDiff(&app, &chosen);
  AddEval(&app, &chosen);
  AddLogits(&app, &chosen);
  AddTokenize(&app, &chosen);
  AddSynth(&app, &chosen);
  AddProfile(&app, &chosen);
  AddExplore(&app, &chosen);
  AddBench(&app, &chosen);
  AddCache(&app, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (const std::string wrong = NoCommand(app, argc, argv); !wrong.empty()) {
      std::cerr << "weft: '" << weft::TerminalLine(wrong)
                << "' is no command and no option of it; weft --help lists them" << std::endl;
      return 2;
    }
    if (app.exit(error, std::cout, std::cerr) != 0) return 2;
    chosen = [] { return absl::OkStatus(); };  // help or the version is printed
  }
  const absl::Status status = chosen();
  std::cout.flush();
  if (!std::cout && status.ok()) {
    std::cerr << "weft: cannot write the output: is the disk full?" << std::endl;
    return 1;
  }
  if (status.ok()) return 0;
  if (Interrupted()) return 130;
  constexpr size_t kMostBytes = 4000;  // names and texts of files are among them
  std::cerr << "weft: " << weft::TerminalText(status.message(), kMostBytes) << std::endl;
  return 1;
}
