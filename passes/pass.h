// What a pass is: one free function over a module, with what the pass manager has to know of it.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

struct Pass {
  absl::string_view name;  // of the pass and of the stage after it: "fuse-qkv"
  absl::string_view doc;   // one line
  // May be switched off: the numbers stay the same without it.
  bool optional = false;
  // Leaves a legal module. `*changed` is false on entry; a pass that leaves it so has not touched
  // the text of the module. Errors are about the model or the options.
  absl::Status (*run)(ir::Module* module, const PassOptions& options, bool* changed);
  // What holds from here on, beyond what ir::Verify checks; null: nothing more.
  absl::Status (*check)(const ir::Module& module, const PassOptions& options) = nullptr;
};

}  // namespace weft::passes
