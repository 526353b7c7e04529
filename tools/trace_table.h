// Where the time of a run went, from the executor's profile.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/executor.h"

namespace weft::tools {

// A row per kernel, most time first: calls, mean, min, max, total, GB/s of weights, share; then
// what no step accounts for. GB/s is total bytes over total time.
std::string TraceTable(const Executor& executor);
nlohmann::ordered_json TraceJson(const Executor& executor);

}  // namespace weft::tools
