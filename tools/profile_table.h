// Where the time of a generation went, as tables.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "runtime/abi/program.h"
#include "tools/engine.h"
#include "tools/profile_recorder.h"
#include "tools/roofs.h"

namespace weft::tools {

enum class ProfileBy { kOp, kLayer, kWeight };

// Steps that belong together.
struct ProfileRow {
  std::string op;      // matmuls by what they multiply with, all layers together; others by the op
  std::string dims;    // matmuls: "[Tx1152]x[1536x1152]"
  std::string format;  // of a matmul's weights: "q8_0"
  int64_t calls = 0;   // in all runs of the phase
  StepProfile sum;
  // Of its time: in matmuls and in attention.
  int64_t matmul_ns = 0;
  int64_t attention_ns = 0;
};

// Most time first; by layer, in order.
std::vector<ProfileRow> ProfileRows(const Program& program, const PhaseProfile& phase,
                                    ProfileBy by);

// What a step's row by op is called: matmuls by what they multiply with, without the layer.
std::string OpName(const Step& step);

struct ProfileReport {
  std::string model;
  std::string target;
  std::string cpu;
  int threads = 0;
  Roofs roofs;
  // What was counted, and whether that was asked for.
  std::vector<Counter> counted;
  bool counts = false;
  const Program* program = nullptr;  // not owned
  std::vector<PhaseProfile> phases;
};

// A report without roofs and phases, of what `executor` runs; it must outlive the report.
ProfileReport ReportFor(const Engine& engine, const Executor& executor);

// A table per phase: its rows, then what no step accounts for, down to the phase's wall time; then
// attention by context, the workers, and what was counted.
std::string ProfileText(const ProfileReport& report, ProfileBy by);
nlohmann::ordered_json ProfileJson(const ProfileReport& report, ProfileBy by);
// One table of all phases' rows.
std::string ProfileCsv(const ProfileReport& report, ProfileBy by);

}  // namespace weft::tools
