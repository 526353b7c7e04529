#include "passes/pass_manager.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft::passes {
namespace {

using absl::Status;

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool Selects(const std::vector<std::string>& names, absl::string_view stage) {
  return Contains(names, stage) || Contains(names, "all");
}

Status CheckStage(absl::string_view option, absl::string_view stage,
                  const std::vector<std::string>& stages) {
  if (Contains(stages, stage)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      option, ": there is no stage '", stage, "'; the stages are ", absl::StrJoin(stages, ", ")));
}

Status CheckNames(absl::Span<const Pass> pipeline, const PipelineOptions& options) {
  std::vector<std::string> stages = {std::string(kImportStage)};
  std::vector<std::string> optional;
  for (const Pass& pass : pipeline) {
    stages.emplace_back(pass.name);
    if (pass.optional) optional.emplace_back(pass.name);
  }
  for (const std::string& name : options.disabled) {
    if (Contains(optional, name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--disable-pass: '", name, "' is ", Contains(stages, name) ? "not optional" : "no pass",
        "; those that can be disabled are ", absl::StrJoin(optional, ", ")));
  }
  if (!options.stop_after.empty()) {
    if (Status status = CheckStage("--stop-after", options.stop_after, stages); !status.ok())
      return status;
  }
  stages.emplace_back("all");
  for (const std::string& name : options.print_before) {
    if (Status status = CheckStage("--print-before", name, stages); !status.ok()) return status;
  }
  for (const std::string& name : options.print_after) {
    if (Status status = CheckStage("--print-after", name, stages); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Status Blame(const Pass& pass, absl::string_view what, const Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("pass '", pass.name, "'", what, ": ", status.message()));
}

// The first line in which the texts differ.
std::string FirstDifference(absl::string_view before, absl::string_view after) {
  const auto [at, other] = std::ranges::mismatch(before, after);
  const auto place = static_cast<size_t>(at - before.begin());
  const size_t start = before.substr(0, place).rfind('\n') + 1;  // npos + 1 is 0
  return std::string(after.substr(start, after.find('\n', start) - start));
}

void SayDisabled(const PipelineOptions& options, absl::string_view pass) {
  if (!options.pass.remark) return;
  options.pass.remark({.pass = std::string(pass), .text = "left out by --disable-pass"});
}

// Ids change from pass to pass; ops of one kind and location are told apart by their order.
using Nodes = std::map<std::tuple<ir::Op, std::string, int>, const ir::Node*>;
Nodes NodesOf(const ir::Module& module) {
  Nodes nodes;
  std::map<std::pair<ir::Op, std::string>, int> seen;
  for (const ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    nodes[{node.op, node.location, seen[{node.op, node.location}]++}] = &node;
  }
  return nodes;
}

// What became of `before`.
void Compare(const ir::Module& before, const ir::Module& after, PassStats* stats) {
  const Nodes old = NodesOf(before);
  for (const auto& [key, node] : old) --stats->ops[std::string(ir::Name(node->op))];
  for (const auto& [key, node] : NodesOf(after)) {
    ++stats->ops[std::string(ir::Name(node->op))];
    const auto same = old.find(key);
    if (same == old.end()) continue;
    const ir::Node& was = *same->second;
    if (!(node->type == was.type)) ++stats->types;
    for (const auto& [attr, value] : node->attrs) {
      const ir::AttrValue* earlier = was.Find(attr);
      if (earlier == nullptr || !(*earlier == value))
        ++stats->attributes[std::string(ir::Name(attr))];
    }
    for (const auto& [attr, value] : was.attrs) {
      if (!node->Has(attr)) ++stats->attributes[std::string(ir::Name(attr))];
    }
  }
  std::erase_if(stats->ops, [](const auto& op) { return op.second == 0; });
}

class Runner {
 public:
  Runner(const PipelineOptions& options, absl::Span<const Pass> pipeline, ir::Module* module)
      : options_(options), pipeline_(pipeline), module_(*module) {}

  Status Run(size_t index, PassStats* stats) {
    const Pass& pass = pipeline_[index];
    const bool print_before = Selects(options_.print_before, pass.name);
    const std::string before =
        options_.check_unchanged || print_before ? ir::Print(module_) : std::string();
    *stats = {.name = std::string(pass.name), .nodes_before = module_.order().size()};
    const ir::Module copy = module_;
    const auto start = std::chrono::steady_clock::now();
    const Status status = pass.run(&module_, OptionsFor(pass), &stats->changed);
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    stats->ms = spent.count();
    stats->nodes_after = module_.order().size();
    if (!status.ok()) return Blame(pass, "", status);
    if (Status legal = ir::Verify(module_); !legal.ok())
      return Blame(pass, " left an illegal module", legal);
    if (stats->changed) Compare(copy, module_, stats);
    // A lowering once done must stay done.
    for (size_t i = 0; i <= index; ++i) {
      if (pipeline_[i].check == nullptr) continue;
      if (Status legal = pipeline_[i].check(module_, options_.pass); !legal.ok())
        return Blame(pass, " left an illegal module", legal);
    }
    return Report(pass, *stats, before);
  }

 private:
  // With the name of the pass on its remarks.
  PassOptions OptionsFor(const Pass& pass) const {
    PassOptions options = options_.pass;
    if (options.remark) {
      options.remark = [this, &pass](Remark remark) {
        remark.pass = std::string(pass.name);
        options_.pass.remark(std::move(remark));
      };
    }
    return options;
  }

  Status Report(const Pass& pass, const PassStats& stats, const std::string& before) {
    if (!stats.changed) {
      if (!options_.check_unchanged) return absl::OkStatus();
      const std::string after = ir::Print(module_);
      if (after == before) return absl::OkStatus();
      return absl::InternalError(absl::StrCat(
          "pass '", pass.name,
          "' says that it changed nothing, but now there is: ", FirstDifference(before, after)));
    }
    if (!options_.sink) return absl::OkStatus();
    if (Selects(options_.print_before, pass.name)) options_.sink(pass.name, "before", before);
    if (Selects(options_.print_after, pass.name))
      options_.sink(pass.name, "after", ir::Print(module_));
    return absl::OkStatus();
  }

  const PipelineOptions& options_;
  absl::Span<const Pass> pipeline_;
  ir::Module& module_;
};

}  // namespace

absl::StatusOr<std::vector<PassStats>> RunPipeline(absl::Span<const Pass> pipeline,
                                                   const PipelineOptions& options,
                                                   ir::Module* module) {
  if (Status status = CheckNames(pipeline, options); !status.ok()) return status;
  if (Status status = Validate(options.pass); !status.ok()) return status;
  if (Status status = ir::Verify(*module); !status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("the module is illegal before any pass: ", status.message()));
  }
  if (options.sink && Selects(options.print_after, kImportStage))
    options.sink(kImportStage, "after", ir::Print(*module));
  if (options.record) options.record(kImportStage, ir::Print(*module));
  std::vector<PassStats> all;
  if (options.stop_after == kImportStage) return all;
  Runner runner(options, pipeline, module);
  for (size_t i = 0; i < pipeline.size(); ++i) {
    if (Contains(options.disabled, pipeline[i].name)) {
      SayDisabled(options, pipeline[i].name);
    } else {
      if (Status status = runner.Run(i, &all.emplace_back()); !status.ok()) return status;
    }
    if (options.record) options.record(pipeline[i].name, ir::Print(*module));
    if (options.stop_after == pipeline[i].name) break;
  }
  return all;
}

}  // namespace weft::passes
