// What a step is called in the machine code of a plan.
#pragma once

#include <cstddef>
#include <string>

#include "runtime/abi/program.h"

namespace weft {

// The symbol of step `index` of a program, for example
// step12.model.layers.0.mlp.down_proj.matmul_q8_0_1152x6912: what computes it there is a function
// of its own that calls the kernel, which steps share, so that profilers and debuggers tell steps
// apart. Of the step's name, what is neither a letter of ASCII, a digit, '.' nor '_' becomes '_'.
std::string StepSymbol(const Step& step, size_t index);

}  // namespace weft
