// weft-opt: runs passes over IR text, for developers and FileCheck tests.
//
//   weft-opt --passes=canonicalise,fuse-qkv graph.wir
//   weft-opt --pipeline --weights f32 --stop-after schedule < graph.wir
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "passes/plan_memory.h"
#include "passes/select_weight_format.h"

namespace weft {
namespace {

struct Arguments {
  std::string file = "-";
  std::vector<std::string> passes;
  bool pipeline = false;
  bool list = false;
  bool decisions = false;
  bool memory = false;
  bool stats = false;
  std::string weights = "auto";
  std::string kv = "auto";
  std::vector<std::string> formats;
  passes::PipelineOptions options;
};

absl::StatusOr<std::string> ReadText(const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file, std::ios::binary);
  std::istream& in = file == "-" ? std::cin : opened;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read '", file, "'"));
  return text;
}

absl::StatusOr<std::vector<passes::Pass>> SelectPasses(const Arguments& arguments) {
  const auto all = passes::DefaultPipeline();
  if (arguments.pipeline) return std::vector<passes::Pass>(all.begin(), all.end());
  std::vector<passes::Pass> selected;
  for (const std::string& name : arguments.passes) {
    const passes::Pass* pass = passes::FindPass(name);
    if (pass == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("there is no pass '", name, "'; there are ",
                                                     absl::StrJoin(passes::StageNames(), ", ")));
    }
    selected.push_back(*pass);
  }
  return selected;
}

void PrintDecisions(const ir::Module& module) {
  for (const passes::FormatDecision& decision : passes::CollectDecisions(module)) {
    std::cout << decision.location << " [" << decision.rows << "x" << decision.columns << "] "
              << Name(decision.source) << " -> " << Name(decision.format) << " " << decision.bytes
              << " bytes: " << decision.why << "\n";
  }
}

void PrintMemory(const ir::Module& module) {
  const passes::MemoryPlan plan = passes::Summary(module);
  std::cout << "arena " << plan.arena_bytes << " peak " << plan.peak_live_bytes << " without reuse "
            << plan.bytes_without_reuse << " weights " << plan.weight_bytes << " kv "
            << plan.kv_bytes << "\n";
}

absl::Status Run(Arguments arguments) {
  if (arguments.list) {
    for (const passes::Pass& pass : passes::DefaultPipeline())
      std::cout << pass.name << (pass.optional ? " (optional): " : ": ") << pass.doc << "\n";
    return absl::OkStatus();
  }
  passes::PipelineOptions& options = arguments.options;
  const auto mode = passes::ParseWeightsMode(arguments.weights);
  if (!mode.ok()) return mode.status();
  options.pass.weights = *mode;
  const auto kv = passes::ParseKvMode(arguments.kv);
  if (!kv.ok()) return kv.status();
  options.pass.kv = *kv;
  for (const std::string& text : arguments.formats) {
    auto entry = passes::ParseFormatOverride(text);
    if (!entry.ok()) return entry.status();
    options.pass.formats.push_back(*std::move(entry));
  }
  options.check_unchanged = true;
  options.sink = [](absl::string_view stage, absl::string_view when, absl::string_view text) {
    std::cerr << "// " << when << " " << stage << "\n" << text;
  };
  const auto pipeline = SelectPasses(arguments);
  if (!pipeline.ok()) return pipeline.status();
  const auto text = ReadText(arguments.file);
  if (!text.ok()) return text.status();
  auto module = ir::Parse(*text);
  if (!module.ok()) {
    return absl::Status(module.status().code(),
                        absl::StrCat(arguments.file, ":", module.status().message()));
  }
  const auto stats = passes::RunPipeline(*pipeline, options, &*module);
  if (!stats.ok()) return stats.status();
  std::cout << ir::Print(*module);
  if (arguments.decisions) PrintDecisions(*module);
  if (arguments.memory) PrintMemory(*module);
  if (!arguments.stats) return absl::OkStatus();
  for (const passes::PassStats& pass : *stats) {
    std::cerr << pass.name << (pass.changed ? " changed " : " unchanged ") << pass.nodes_before
              << " -> " << pass.nodes_after << " nodes, " << pass.ms << " ms\n";
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  passes::PipelineOptions& options = arguments.options;
  CLI::App app("Runs passes over IR text and prints the result.");
  app.add_option("file", arguments.file, "IR text; - or nothing: standard input");
  // One argument each, which may be a list with commas: what follows may be the file.
  const auto add_list = [&app](const char* name, std::vector<std::string>* out, const char* doc) {
    app.add_option(name, *out, doc)->delimiter(',')->allow_extra_args(false);
  };
  add_list("--passes", &arguments.passes, "these passes, in this order");
  app.add_flag("--pipeline", arguments.pipeline, "all passes, in their order");
  app.add_flag("--list-passes", arguments.list, "name and purpose of each pass");
  add_list("--disable-pass", &options.disabled, "leave out optional passes");
  app.add_option("--stop-after", options.stop_after, "a stage: import or a pass");
  add_list("--print-before", &options.print_before, "stages, or all; to standard error");
  add_list("--print-after", &options.print_after, "stages, or all; to standard error");
  app.add_flag("--stats", arguments.stats, "what each pass did and took; to standard error");
  app.add_flag("--decisions", arguments.decisions, "the format of each weight, and why");
  app.add_flag("--memory", arguments.memory, "bytes of arena, weights and cache");
  app.add_option("--q8-threshold", options.pass.q8_threshold, "least max(in, out) for q8_0");
  app.add_option("--weights", arguments.weights, "auto, f32 or q8_0");
  app.add_option("--kv", arguments.kv, "auto, f32, f16 or q8_0");
  app.add_option("--weight-format", arguments.formats, "PATTERN=f32 or PATTERN=q8_0; repeatable")
      ->allow_extra_args(false);
  app.add_option("--max-tokens", options.pass.max_tokens, "tokens in one run");
  app.add_option("--max-logit-rows", options.pass.max_logit_rows, "logit rows of one run");
  app.add_option("--context", options.pass.context, "positions of the cache; 0: the graph's");
  CLI11_PARSE(app, argc, argv);
  if (absl::Status status = Run(std::move(arguments)); !status.ok()) {
    std::cerr << "weft-opt: " << status.message() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) { return weft::Main(argc, argv); }
