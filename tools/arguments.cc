#include "tools/arguments.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "frontends/hub/hub.h"
#include "passes/pipelines.h"
#include "runtime/base/cpu.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/side_files.h"
#include "runtime/text/tokenizer.h"
#include "tools/interrupt.h"
#include "tools/prepare_model.h"
#include "tools/progress.h"

namespace weft::tools {

void AddModelArgument(CLI::App* command, const std::string& what, ModelArguments* arguments) {
  std::string text =
      "a model folder (config.json, *.safetensors), a .gguf file, a catalogue name, or a hub id "
      "org/name";
  if (what != "MODEL") text += "; or a .weft plan";
  command->add_option("model", arguments->model, text)->required()->type_name(what);
}

void AddCompileOptions(CLI::App* command, ModelArguments* arguments) {
  const size_t before = command->get_options().size();
  command
      ->add_option("-c,--ctx-size", arguments->context,
                   "positions of the KV cache (default: the model's, at most 4096)")
      ->check(CLI::Range(int64_t{1}, kMostPositions))
      ->type_name("CTX");
  command
      ->add_option("-b,--batch-size", arguments->max_tokens,
                   "most tokens that prefill takes at once (default 512)")
      ->check(CLI::Range(1, 8192))
      ->type_name("N");
  command
      ->add_option("--weights", arguments->weights,
                   "weight formats: auto, f32 or q8_0 (default auto)")
      ->check(CLI::IsMember({"auto", "f32", "q8_0"}))
      ->type_name("MODE");
  command
      ->add_option(
          "--q8-threshold", arguments->q8_threshold,
          "under auto, float weights with max(in, out) from here on become q8_0 (default 1024)")
      ->check(CLI::Range(0, std::numeric_limits<int32_t>::max()))
      ->type_name("N");
  command
      ->add_option("--weight-format", arguments->formats,
                   "format of weights by name: 'model.layers.*.down_proj=f32'; the last match wins")
      ->allow_extra_args(false)
      ->type_name("PATTERN=FORMAT");
  command
      ->add_option(
          "--kv", arguments->kv,
          "what the KV cache holds: auto, f32, f16 or q8_0 (default auto: f16 where weights "
          "are q8_0, else f32)")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8_0"}))
      ->type_name("FORMAT");
  command
      ->add_option(
          "--target", arguments->target,
          "host, x86-64-v3, avx-vnni, avx512-vnni or amx-int8 (default host); compile also "
          "takes several, with commas, for one plan that runs on each")
      ->type_name("TARGET");
  command->add_option("--disable-pass", arguments->disabled, "leave out an optional pass")
      ->allow_extra_args(false)
      ->type_name("PASS");
  command
      ->add_option("--print-before", arguments->print_before,
                   "print the IR to stderr before a pass that changes it, or 'all'")
      ->allow_extra_args(false)
      ->type_name("PASS");
  command
      ->add_option("--print-after", arguments->print_after,
                   "print the IR to stderr after a pass that changed it, or 'all'")
      ->allow_extra_args(false)
      ->type_name("PASS");
  command->add_flag("--time-passes", arguments->time_passes, "print each pass's time to stderr");
  const std::vector<CLI::Option*> options = command->get_options();
  for (const CLI::Option* option : absl::MakeSpan(options).subspan(before)) {
    // The target also chooses among a plan's.
    if (!option->check_name("--target")) arguments->compile_options.push_back(option);
  }
}

void AddMemoryOptions(CLI::App* command, ModelArguments* arguments) {
  command->add_flag("--no-hugepages", arguments->no_hugepages,
                    "leave a plan's weights in the file's pages, which processes share, instead of "
                    "moving them to 2 MiB pages in the background, which is faster");
  command->add_flag("--mlock", arguments->mlock,
                    "keep the weights in memory: they cannot be swapped or dropped");
  command->add_flag("--perf-map", arguments->perf_map,
                    "tell perf the names of code compiled in this process, in /tmp/perf-<pid>.map "
                    "(a plan's code bears its names)");
}

void AddThreadsOption(CLI::App* command, int* threads) {
  command
      ->add_option("-t,--threads", *threads,
                   "worker threads (default: the CPUs this process may use)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
}

void AddCacheOption(CLI::App* command, ModelArguments* arguments) {
  arguments->cache = true;
  command->add_flag("!--no-cache", arguments->cache,
                    "compile in memory, without looking into the compile cache or adding to it "
                    "(weft cache --help)");
}

absl::StatusOr<CompileSettings> SettingsOf(const ModelArguments& arguments) {
  CompileSettings settings;
  settings.target = arguments.target;
  settings.pipeline.disabled = arguments.disabled;
  settings.pipeline.print_before = arguments.print_before;
  settings.pipeline.print_after = arguments.print_after;
  settings.pipeline.sink = [](absl::string_view stage, absl::string_view when,
                              absl::string_view text) {
    std::cerr << "// " << when << " " << stage << "\n" << text;
  };
  passes::PassOptions& pass = settings.pipeline.pass;
  pass.q8_threshold = arguments.q8_threshold;
  pass.max_tokens = arguments.max_tokens;
  WEFT_ASSIGN_OR_RETURN(pass.weights, passes::ParseWeightsMode(arguments.weights));
  WEFT_ASSIGN_OR_RETURN(pass.kv, passes::ParseKvMode(arguments.kv));
  for (const std::string& text : arguments.formats) {
    WEFT_ASSIGN_OR_RETURN(passes::FormatOverride format, passes::ParseFormatOverride(text));
    pass.formats.push_back(std::move(format));
  }
  return settings;
}

absl::StatusOr<std::string> ResolvePath(const std::string& name) {
  ProgressBar bar;
  WEFT_ASSIGN_OR_RETURN(const ResolvedModel resolved, ResolveModel(name, HubOptionsWith(&bar)));
  return resolved.path;
}

absl::StatusOr<Model> OpenModel(const ModelArguments& arguments, bool tokenizer) {
  WEFT_ASSIGN_OR_RETURN(const std::string path, ResolvePath(arguments.model));
  return LoadModel(path, {.context = arguments.context, .tokenizer = tokenizer});
}

absl::StatusOr<std::shared_ptr<const Plan>> OpenIfPlan(const std::string& name) {
  WEFT_ASSIGN_OR_RETURN(const std::filesystem::file_type type, FileTypeOf(name));
  if (type != std::filesystem::file_type::regular) return nullptr;
  const bool named_plan = name.ends_with(".weft");
  if (!named_plan) {
    WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file,
                          MappedFile::Open(name, /*guarded=*/true));
    if (!Plan::LooksLikePlan(file->bytes())) return nullptr;
  }
  return Plan::Open(name);
}

absl::StatusOr<std::shared_ptr<const Plan>> OpenIfPlan(const ModelArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model));
  if (plan == nullptr) return plan;
  std::vector<std::string> given;
  for (const CLI::Option* option : arguments.compile_options) {
    const bool as_it_is =
        option->check_name("--ctx-size") && arguments.context == plan->program().context;
    if (option->count() > 0 && !as_it_is) given.push_back(option->get_name());
  }
  if (given.empty()) return plan;
  return absl::InvalidArgumentError(absl::StrCat(
      arguments.model, ": is a plan, compiled for a context of ", plan->program().context, ": ",
      absl::StrJoin(given, ", "), given.size() == 1 ? " is an option" : " are options",
      " of compiling; give the model instead, or compile it again"));
}

absl::Status CheckIsNoInput(const std::string& output, const ModelArguments& arguments) {
  struct stat written = {};
  // A device or pipe is written to, not replaced.
  if (stat(output.c_str(), &written) != 0 || !S_ISREG(written.st_mode)) return absl::OkStatus();
  std::vector<std::string> inputs;
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model));
  if (plan != nullptr) {
    inputs.push_back(arguments.model);
    const std::filesystem::path folder = std::filesystem::path(arguments.model).parent_path();
    for (const SideFile& file : plan->side_files()) inputs.push_back(folder / file.name);
  } else {
    WEFT_ASSIGN_OR_RETURN(const std::string path, ResolvePath(arguments.model));
    WEFT_ASSIGN_OR_RETURN(const ModelFiles files, FindModelFiles(path));
    inputs = files.weights;
    inputs.insert(inputs.end(), files.config.begin(), files.config.end());
  }
  for (const std::string& input : inputs) {
    struct stat read = {};
    if (stat(input.c_str(), &read) != 0 || read.st_dev != written.st_dev ||
        read.st_ino != written.st_ino)
      continue;
    return absl::InvalidArgumentError(
        absl::StrCat(output, ": is ", input, ", which this command reads; write to another file"));
  }
  return absl::OkStatus();
}

std::string FirstGivenBut(const CLI::App& command, absl::Span<const absl::string_view> names) {
  for (const CLI::Option* option : command.get_options()) {
    const bool named = absl::c_any_of(
        names, [option](absl::string_view name) { return option->check_name(std::string(name)); });
    if (option->count() > 0 && !named) return option->get_name();
  }
  return "";
}

namespace {

void PrintTimes(absl::Span<const passes::PassStats> passes) {
  for (const passes::PassStats& stats : passes) {
    std::cerr << absl::StrFormat("%8.2f ms  %-22s %s (%d -> %d nodes)\n", stats.ms, stats.name,
                                 stats.changed ? "changed" : "unchanged", stats.nodes_before,
                                 stats.nodes_after);
  }
}

}  // namespace

absl::Status RunPassesAsAsked(const ModelArguments& arguments,
                              const passes::PipelineOptions& options, ir::Module* module) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<passes::PassStats> stats,
                        passes::RunPipeline(passes::DefaultPipeline(), options, module));
  if (arguments.time_passes) PrintTimes(stats);
  return absl::OkStatus();
}

absl::StatusOr<CompiledModel> CompileAsAsked(const Model& model, const ModelArguments& arguments,
                                             const CompileSettings& settings) {
  WEFT_ASSIGN_OR_RETURN(CompiledModel compiled, CompileModel(model, settings));
  if (arguments.time_passes) {
    PrintTimes(compiled.passes);
    std::cerr << absl::StrFormat("%8.2f ms  code for %d kernels\n", compiled.codegen_ms,
                                 compiled.codes.size() * compiled.codes[0].kernels.size());
  }
  return compiled;
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const ModelArguments& arguments,
                                                   int64_t logit_rows,
                                                   const ExecutorOptions& executor) {
  WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, OpenIfPlan(arguments));
  ProgressBar bar;
  const EngineOptions options{
      executor,
      [&bar](uint64_t done, uint64_t total) { bar.Update("packing weights", done, total); },
      {.huge_pages = !arguments.no_hugepages, .lock = arguments.mlock, .target = arguments.target},
      arguments.perf_map};
  if (plan != nullptr) {
    if (arguments.context > plan->program().context) {
      return absl::InvalidArgumentError(
          absl::StrCat(arguments.model, ": was compiled for a context of ", plan->program().context,
                       "; for more, compile again with -c ", arguments.context));
    }
    return Engine::FromPlan(std::move(plan), options);
  }
  // Before the work of opening the model.
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(const codegen::Target target, codegen::ParseTarget(arguments.target, cpu));
  WEFT_RETURN_IF_ERROR(codegen::CheckExecutable(target, cpu));
  WEFT_ASSIGN_OR_RETURN(PreparedModel prepared,
                        PrepareModel(arguments, logit_rows, executor.cancel));
  const CatchInterrupts catching;
  if (Interrupted()) return absl::CancelledError("interrupted");
  if (prepared.plan != nullptr) return Engine::FromPlan(std::move(prepared.plan), options);
  return Engine::FromModel(*prepared.model, *std::move(prepared.compiled), options);
}

absl::StatusOr<std::vector<int32_t>> ParseIds(const std::string& text) {
  std::vector<int32_t> ids;
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(", \t\r\n[]"), absl::SkipEmpty())) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(word, &id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", word, "' is not a token id; ids are written 1,2,3 or [1, 2, 3]"));
    }
    ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<std::string> ReadStdin() {
  return ReadDescriptor(STDIN_FILENO, "standard input", Tokenizer::kMaxTextBytes);
}

}  // namespace weft::tools
