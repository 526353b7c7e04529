// Runs as a timeline that Perfetto (ui.perfetto.dev) and chrome://tracing open.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/pass_manager.h"
#include "runtime/abi/program.h"
#include "tools/profile_recorder.h"

namespace weft::tools {

// Trace events in JSON, of the format that
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU describes: a
// track per worker with the steps that it had units of, named by location; one of the runs; and,
// where the model was compiled here, one of passes and of generating code, end to end before the
// first run. Times are microseconds from the first event.
std::string TraceEvents(const Program& program, const std::deque<KeptRun>& runs,
                        const std::vector<passes::PassStats>& passes, double codegen_ms);

}  // namespace weft::tools
