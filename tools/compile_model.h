// From a loaded model to a program, its machine code and its packed weights: the compiler as one
// call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/object_cache.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "frontends/model.h"
#include "passes/pass_manager.h"
#include "passes/select_weight_format.h"
#include "runtime/plan/plan_metadata.h"

namespace weft::tools {

struct CompileSettings {
  std::string target = "host";       // a name, or several with commas between them
  passes::PipelineOptions pipeline;  // its pass.context is that of the model
  bool record_stages = false;        // keep the module's text at every stage
  // Once set, compiling soon ends with CancelledError; null: it does not.
  const std::atomic<bool>* cancel = nullptr;
  codegen::ObjectCache* objects = nullptr;  // of kernels compiled before, or null
};

// Kernels as one target has them.
struct CompiledCode {
  codegen::Target target;
  std::vector<codegen::Kernel> kernels;
  std::vector<uint8_t> object;  // archive of relocatable ELF: kernels, a function a step
};

// The module as text.
struct RecordedStage {
  std::string name;
  std::string text;
};

struct CompiledModel {
  ir::Module imported;              // before the passes
  ir::Module module;                // as the last pass left it
  Program program;                  // of every target
  std::vector<CompiledCode> codes;  // one at least; targets differ
  std::vector<passes::PassStats> passes;
  std::vector<passes::FormatDecision> decisions;
  std::vector<RecordedStage> stages;          // in order; empty unless they were to be recorded
  std::vector<PlanMetadata::Option> options;  // as given (recorded_options.h)
  double passes_ms = 0;
  double codegen_ms = 0;
};

// Runs the passes on a copy of the model's graph, builds the program and compiles its kernels for
// each target.
// Weights are not read.
absl::StatusOr<CompiledModel> CompileModel(const Model& model, const CompileSettings& settings);

// What the compiler decided, for people: formats by kind of weight with reasons, kernels, memory.
std::string SummaryTable(const Model& model, const CompiledModel& compiled);

}  // namespace weft::tools
