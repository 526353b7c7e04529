// From a loaded model to a program, its machine code and its packed weights: the compiler as one
// call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "frontends/model.h"
#include "passes/pass_manager.h"
#include "passes/select_weight_format.h"

namespace weft::tools {

struct CompileSettings {
  std::string target = "host";
  passes::PipelineOptions pipeline;  // its pass.context is that of the model
};

struct CompiledModel {
  ir::Module module;  // as the last pass left it
  codegen::Target target;
  codegen::BuiltProgram built;
  std::vector<uint8_t> object;  // relocatable ELF with every kernel
  std::vector<passes::PassStats> passes;
  std::vector<passes::FormatDecision> decisions;
  double passes_ms = 0;
  double codegen_ms = 0;
};

// Runs the passes on a copy of the model's graph, builds the program and compiles its kernels.
// Weights are not read.
absl::StatusOr<CompiledModel> CompileModel(const Model& model, const CompileSettings& settings);

// What the compiler decided, for people: formats by kind of weight with reasons, kernels, memory.
std::string SummaryTable(const Model& model, const CompiledModel& compiled);

}  // namespace weft::tools
