// From objects to a shared object, by lld in this process.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace weft::codegen {

// `objects` is what CompileToObject gives. The result is an ELF shared object with the same
// symbols, position-independent, with unwind tables and a build id; equal input gives equal bytes.
// Needs room for both in the folder for temporary files ($TMPDIR, else /tmp).
absl::StatusOr<std::vector<uint8_t>> LinkSharedObject(absl::Span<const uint8_t> objects);

}  // namespace weft::codegen
