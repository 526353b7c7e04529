// From what a user names as MODEL to something that runs: a plan of the compile cache, or the model
// compiled in this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "frontends/model.h"
#include "runtime/plan/plan.h"
#include "tools/arguments.h"
#include "tools/compile_model.h"

namespace weft::tools {

struct PreparedModel {
  std::shared_ptr<const Plan> plan;  // or else the next two
  std::optional<Model> model;
  std::optional<CompiledModel> compiled;
};

// With the compile cache (docs/cache.md), where `arguments` leave it on: compiles into it what is
// not there, and waits where another process is about to. What the cache cannot keep is compiled in
// this process, with a line on stderr that says why. `logit_rows` as for OpenEngine. Once `cancel`
// is set, waiting and writing end with CancelledError.
absl::StatusOr<PreparedModel> PrepareModel(const ModelArguments& arguments, int64_t logit_rows,
                                           const std::atomic<bool>* cancel);

}  // namespace weft::tools
