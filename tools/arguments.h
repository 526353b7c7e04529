// Options that several commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "frontends/model.h"
#include "tools/compile_model.h"
#include "tools/engine.h"

namespace weft::tools {

// Which model, and how to compile it.
struct ModelArguments {
  std::string model;
  int64_t context = 0;
  int64_t max_tokens = 512;
  int64_t q8_threshold = 1024;
  std::string weights = "auto";
  std::vector<std::string> formats;
  std::string kv = "auto";
  std::string target = "host";
  std::vector<std::string> disabled;
  std::vector<std::string> print_before;
  std::vector<std::string> print_after;
  bool time_passes = false;
  bool no_hugepages = false;
  bool mlock = false;
  bool perf_map = false;
  bool cache = false;  // look for the compiled model in the cache, and keep it there
  std::vector<const CLI::Option*> compile_options;  // those that choose nothing of a plan
};

// Rows of logits that a program gives at once where the caller wants them of every position: few
// enough that they take little memory with the largest vocabularies.
inline constexpr int64_t kLogitRows = 16;

// Positions have 32 bits. What a model allows is less, and told with its own error.
inline constexpr int64_t kMostPositions = std::numeric_limits<int32_t>::max();

// `what` is "MODEL" or "MODEL|PLAN".
void AddModelArgument(CLI::App* command, const std::string& what, ModelArguments* arguments);
void AddCompileOptions(CLI::App* command, ModelArguments* arguments);

// Of commands that run what they compile or open: where weights lie in memory, and whether
// profilers know the code.
void AddMemoryOptions(CLI::App* command, ModelArguments* arguments);

// -t; 0 stays where it is not given: the CPUs this process may use.
void AddThreadsOption(CLI::App* command, int* threads);

// Of commands that keep what they compile in the cache, unless told not to.
void AddCacheOption(CLI::App* command, ModelArguments* arguments);

absl::StatusOr<CompileSettings> SettingsOf(const ModelArguments& arguments);

// Resolves the name (catalogue, hub id, folder, file), downloading where needed, and opens the
// model.
absl::StatusOr<Model> OpenModel(const ModelArguments& arguments, bool tokenizer = true);
// The path of the model that the name stands for.
absl::StatusOr<std::string> ResolvePath(const std::string& name);
// Null where the name is no plan file.
absl::StatusOr<std::shared_ptr<const Plan>> OpenIfPlan(const std::string& name);
// The same of arguments->model; an error where options are given that a plan cannot follow.
absl::StatusOr<std::shared_ptr<const Plan>> OpenIfPlan(const ModelArguments& arguments);

// A model or plan, ready to run. `logit_rows` is how many rows of logits the caller wants at once;
// plans have theirs.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const ModelArguments& arguments,
                                                   int64_t logit_rows,
                                                   const ExecutorOptions& executor);

// An error where `output` names a file that the command reads: one of the model's or plan's, by
// whatever name. It would be replaced by something else.
absl::Status CheckIsNoInput(const std::string& output, const ModelArguments& arguments);

// An option's check: names of files are not empty.
inline const CLI::Validator kFileName(
    [](const std::string& path) { return path.empty() ? "no name of a file" : ""; }, "");

// The name of the first option of the command that is given and is not among `names`, or empty.
std::string FirstGivenBut(const CLI::App& command, absl::Span<const absl::string_view> names);

// Compiles as `arguments` say, printing IR and times where they ask for it.
absl::StatusOr<CompiledModel> CompileAsAsked(const Model& model, const ModelArguments& arguments,
                                             const CompileSettings& settings);
// The passes alone, likewise.
absl::Status RunPassesAsAsked(const ModelArguments& arguments,
                              const passes::PipelineOptions& options, ir::Module* module);

// "1,2,3" or a JSON array or numbers between blanks.
absl::StatusOr<std::vector<int32_t>> ParseIds(const std::string& text);

// All of standard input; an error for more than Tokenizer::kMaxTextBytes.
absl::StatusOr<std::string> ReadStdin();

}  // namespace weft::tools
