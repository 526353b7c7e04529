// Before: every used weight has `format`.
// After: every kv_append has `format` (f32, f16 or q8_0) and `why`, and its type is that format's.
// After select-weight-format, since under auto a model that is F32 throughout keeps an F32 cache,
// and one with Q8_0 weights has F16: half the bytes, and an error far below that of its weights.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status SelectKvFormat(ir::Module* module, const PassOptions& options, bool* changed);

// The caches' element type; F32 where there is none.
DataType KvFormat(const ir::Module& module);

}  // namespace weft::passes
