// Names for code that perf finds in no file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "codegen/jit.h"
#include "runtime/abi/program.h"

namespace weft::tools {

// A line per function, as
// https://github.com/torvalds/linux/blob/master/tools/perf/Documentation/jit-interface.txt has it:
// where it lies, and the ops that it computes, as tables of profiles call them, before its own
// name.
std::string PerfMap(const Program& program, absl::Span<const codegen::JitSymbol> symbols);

// Writes it where perf looks for that of this process, /tmp/perf-<pid>.map. It stays there, for
// `perf report`.
absl::Status WritePerfMap(const Program& program, absl::Span<const codegen::JitSymbol> symbols);

}  // namespace weft::tools
