#include <iostream>

#include "absl/strings/str_cat.h"
#include "frontends/hub/file_digest.h"
#include "frontends/safetensors_writer.h"
#include "runtime/base/status_macros.h"
#include "runtime/session.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"

namespace weft::tools {
namespace {

struct LogitsArguments {
  ModelArguments model;
  std::string ids;
  std::string output;
  bool digest = false;
  int threads = 0;
};

absl::Status RunLogits(const LogitsArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, ParseIds(arguments.ids));
  if (ids.empty()) return absl::InvalidArgumentError("--ids holds no token id");
  WEFT_RETURN_IF_ERROR(CheckIsNoInput(arguments.output, arguments.model));
  ExecutorOptions executor{.cancel = InterruptFlag()};
  if (arguments.threads > 0) executor.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(arguments.model, kLogitRows, executor));
  const CatchInterrupts catching;
  Session session(&engine->executor());
  std::vector<float> all;
  WEFT_RETURN_IF_ERROR(
      session.PrefillWithLogits(ids, [&all](int64_t /*position*/, absl::Span<const float> logits) {
        all.insert(all.end(), logits.begin(), logits.end());
        return absl::OkStatus();
      }));
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(all.data()),
                                        all.size() * sizeof(float));
  if (!arguments.output.empty()) {
    const SafetensorsTensor tensor{
        "logits", DataType::kF32, {static_cast<int64_t>(ids.size()), session.vocab()}, bytes};
    WEFT_RETURN_IF_ERROR(WriteSafetensors(arguments.output, {tensor}));
  }
  if (arguments.digest) {
    WEFT_ASSIGN_OR_RETURN(const std::string digest, Sha256(bytes));
    std::cout << digest << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddLogits(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<LogitsArguments>();
  CLI::App* command =
      app->add_subcommand("logits", "the logits of every position, as a file or as a digest");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command->add_option("--ids", arguments->ids, "token ids: 1,2,3")->required()->type_name("IDS");
  CLI::Option_group* result = command->add_option_group("Result", "one of these, or both");
  result->require_option(1, 2);
  result
      ->add_option("-o,--output", arguments->output,
                   "the file to write: tensor \"logits\", F32 [tokens, vocab]")
      ->type_name("FILE.safetensors")
      ->check(kFileName);
  result->add_flag("--digest", arguments->digest,
                   "print the SHA-256 of the logits' bytes, F32 [tokens, vocab]: the same on every "
                   "machine (docs/numerics.md)");
  AddThreadsOption(command, &arguments->threads);
  AddCompileOptions(command, &arguments->model);
  AddCacheOption(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunLogits(*arguments); }; });
}

}  // namespace weft::tools
