// Where workers must wait for each other, from what the steps declare.
#pragma once

#include <vector>

#include "runtime/abi/program.h"

namespace weft {

// One entry per step: true where all units of the steps before must be done before a unit of this
// one may start. That is so where the step reads or writes bytes that a step since the last barrier
// wrote, or writes bytes that one of them read. Units of one step never wait for each other.
// Operand ranges must not overflow (ValidateProgram).
std::vector<bool> DeriveBarriers(const Program& program);

}  // namespace weft
