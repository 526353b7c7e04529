#include "tests/fuzz/command_use.h"

#include <algorithm>
#include <iostream>
#include <streambuf>
#include <utility>
#include <vector>

#include "codegen/target.h"
#include "passes/pipelines.h"
#include "tests/fuzz/fuzz_target.h"
#include "tools/commands.h"
#include "tools/dump_text.h"

namespace weft::fuzz {
namespace {

using Arguments = std::vector<std::string>;

class Nowhere : public std::streambuf {
  int overflow(int c) override { return c == EOF ? 0 : c; }
  std::streamsize xsputn(const char* /*bytes*/, std::streamsize count) override { return count; }
};

void Run(void (*add)(CLI::App*, tools::Command*), Arguments arguments) {
  static Nowhere nowhere;
  std::cout.rdbuf(&nowhere);
  std::cerr.rdbuf(&nowhere);
  CLI::App app;
  tools::Command chosen;
  add(&app, &chosen);
  std::ranges::reverse(arguments);  // which is how CLI11 takes them
  app.parse(std::move(arguments));  // throws where the command does not know an option
  (void)chosen();
}

void Append(Arguments* arguments, const Arguments& more) {
  arguments->insert(arguments->end(), more.begin(), more.end());
}

// Of every kind of file: a stage of the passes in every format, memory, and what the passes did.
Arguments DumpArguments(const std::string& path, Chooser* choose) {
  Arguments arguments = {"dump", path};
  const auto stages = passes::StageNames();
  switch (choose->Below(5)) {
    case 0:
      Append(&arguments, {"--memory", "--format", choose->Of({"text", "json"})});
      break;
    case 1:
      Append(&arguments,
             {"--stage", tools::kProgramStage, "--format", choose->Of({"text", "json"})});
      break;
    case 2:
      Append(&arguments, {"--stage", choose->Of(stages), "--diff"});
      break;
    case 3:
      Append(&arguments, {"--stage", choose->Of(stages), "--format", "dot", "--expand-layer",
                          choose->Of({"0", "1", "all"})});
      break;
    default:
      Append(&arguments, {"--stage", choose->Of(stages), "--format", choose->Of({"text", "json"})});
  }
  return arguments;
}

void Why(const std::string& path, Chooser* choose, const Arguments& more) {
  Arguments arguments = {"why", path, "*", "--no-measure"};
  if (choose->Below(2) == 0) arguments.emplace_back("--json");
  Append(&arguments, more);
  Run(tools::AddWhy, std::move(arguments));
}

}  // namespace

void LookAtModel(const std::string& path, Chooser choose) {
  // LLVM takes some hundred times what all else does.
  constexpr size_t kOneInCode = 512;
  const Arguments options = {"--target",  choose.Of(codegen::KnownTargets()),
                             "--weights", choose.Of({"auto", "f32", "q8_0"}),
                             "--kv",      choose.Of({"auto", "f32", "f16", "q8_0"})};
  if (choose.Below(kOneInCode) == 0) {
    Arguments arguments = {"dump", path, "--stage",
                           choose.Of({tools::kLlvmStage, tools::kAsmStage})};
    Append(&arguments, options);
    return Run(tools::AddDump, std::move(arguments));
  }
  switch (choose.Below(4)) {
    case 0:
      return Run(tools::AddInfo, choose.Below(2) == 0 ? Arguments{"info", path}
                                                      : Arguments{"info", path, "--json"});
    case 1:
      return Why(path, &choose, options);
    default:
      Arguments arguments = DumpArguments(path, &choose);
      Append(&arguments, options);
      Run(tools::AddDump, std::move(arguments));
  }
}

void LookAtPlan(const std::string& path, Chooser choose) {
  // LLVM's disassembler takes ten times what all else does.
  constexpr size_t kOneInCode = 32;
  if (choose.Below(kOneInCode) == 0)
    return Run(tools::AddDump, {"dump", path, "--stage", tools::kAsmStage});
  switch (choose.Below(8)) {
    case 0:
      return Run(tools::AddInfo, choose.Below(2) == 0 ? Arguments{"info", path}
                                                      : Arguments{"info", path, "--json"});
    case 1:
      return Run(tools::AddDiff, {"diff", path, path});
    case 2:
      return Run(tools::AddDump,
                 {"dump", path, "--sections", "--format", choose.Of({"text", "json"})});
    case 3:
    case 4:
      return Why(path, &choose, {});
    default:
      return Run(tools::AddDump, DumpArguments(path, &choose));
  }
}

}  // namespace weft::fuzz
