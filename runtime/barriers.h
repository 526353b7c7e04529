// How steps are shared among workers, and where workers must wait for each other: from what the
// steps declare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/abi/program.h"

namespace weft {

// Steps [begin, end) of a program, executed together.
struct StepGroup {
  enum class Kind : uint8_t {
    kShared,  // one step, whose units any worker takes
    kRows,    // steps over the same rows: whoever takes some rows runs all steps on them, in order
    kSerial,  // one worker runs the steps in order, while the others wait
  };
  size_t begin = 0;
  size_t end = 0;
  Kind kind = Kind::kShared;
  // All groups before must be done before this one begins. Always so for kSerial, and never for the
  // group after it: whoever waited for it has waited for all before it too.
  bool barrier = false;
  bool operator==(const StepGroup&) const = default;
};

// Puts every step into one group, in order. A group starts with a barrier where a step of it reads
// or writes bytes that a group since the last barrier wrote, or writes bytes that one of them read.
// Units of one step never wait for each other. In kRows, steps that work by rows of one extent
// (WorksByRows) follow each other and touch each other's bytes within a row alone.
//
// With `one_row`, for runs of one token, the steps that work by rows become kSerial: there is
// nothing to share, and the last worker that is done with the group before runs them at once, which
// takes one barrier where handing them to a fixed worker takes two.
//
// Operands must be valid (ValidateProgram).
std::vector<StepGroup> DeriveGroups(const Program& program, bool one_row);

// How often all workers meet.
int64_t CountBarriers(const std::vector<StepGroup>& groups);

}  // namespace weft
