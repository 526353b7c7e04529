#include <chrono>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/status_macros.h"
#include "runtime/c/command_line.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/synth_model.h"

namespace weft::tools {
namespace {

struct SynthArguments {
  std::string shape;
  std::string folder;
  std::string type;  // empty: the shape's
  uint64_t seed = 0;
  bool force = false;
};

absl::Status RunSynth(const SynthArguments& arguments) {
  const SynthShape& shape = *FindSynthShape(arguments.shape);  // the option's check has seen to it
  SynthOptions options{.seed = arguments.seed, .type = shape.type, .force = arguments.force};
  if (!arguments.type.empty())
    options.type = arguments.type == "f32" ? DataType::kF32 : DataType::kBF16;
  const CatchInterrupts catching;
  const std::atomic<bool>* const interrupted = InterruptFlag();
  ProgressBar bar;
  options.progress = [&](uint64_t done, uint64_t total) {
    bar.Update(arguments.folder, done, total);
    return *interrupted ? absl::CancelledError("interrupted") : absl::OkStatus();
  };
  WEFT_ASSIGN_OR_RETURN(const SynthResult result,
                        WriteSynthModel(shape, arguments.folder, options));
  std::cout << absl::StrFormat("wrote %s: %s with random weights, %.1f M parameters, %s, %.3f GB",
                               arguments.folder, shape.name,
                               static_cast<double>(result.parameters) / 1e6, Name(options.type),
                               static_cast<double>(result.weight_bytes) / 1e9)
            << (result.files > 1 ? absl::StrCat(" in ", result.files, " files") : "") << ", seed "
            << options.seed << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddSynth(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<SynthArguments>();
  CLI::App* command = app->add_subcommand(
      "synth",
      "write a model folder of a known shape with random weights, for measuring without a "
      "download");
  std::vector<std::string> names;
  std::string list = "Shapes:\n";
  for (const SynthShape& shape : SynthShapes()) {
    names.emplace_back(shape.name);
    absl::StrAppend(&list, "  ", shape.name, ": ", shape.like, "\n");
  }
  command->add_option("shape", arguments->shape, "one of the shapes below")
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("SHAPE");
  command->add_option("-o,--output", arguments->folder, "the folder to write")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--seed", arguments->seed,
                   "the same seed gives the same bytes, everywhere (default 0)")
      ->check(kSeed)
      ->type_name("N");
  command
      ->add_option("--dtype", arguments->type,
                   "bf16 or f32 (default: bf16, and f32 for gpt2, as published)")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->type_name("TYPE");
  command->add_flag("--force", arguments->force, "replace a model that is in the folder");
  command->footer(list);
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunSynth(*arguments); }; });
}

}  // namespace weft::tools
