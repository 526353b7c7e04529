// Machine code back to text, for reading what a plan holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace weft::codegen {

struct DisassembledFunction {
  std::string name;
  std::string text;  // a line per instruction, after its address; AT&T syntax
};

// The functions of an ELF shared object as LinkSharedObject makes them, by address. An error where
// the bytes are none.
absl::StatusOr<std::vector<DisassembledFunction>> Disassemble(absl::Span<const uint8_t> object);

}  // namespace weft::codegen
