// The debug executor's check that kernels keep to what their steps declare.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/abi/program.h"
#include "runtime/anonymous_memory.h"

namespace weft {

// Runs every step twice, over two different poisons in all bytes of the arena and the KV cache that
// it does not declare: first 0xFF (NaN in f32 and f16, −1 in integers), then 0x55 (finite in all).
// A byte changed outside the declared writes, or a difference between the two results, is an error.
// Steps that work by rows run a third time, row by row from the last, with every other row
// poisoned. Costs several copies of both spaces per step; the weights cannot be written and are not
// poisoned.
class PoisonChecker {
 public:
  // Neither owns nor copies the spaces, program.arena_bytes and program.kv_bytes long.
  static absl::StatusOr<PoisonChecker> Create(const Program& program, uint8_t* arena, uint8_t* kv);

  // Poisons the arena but for tokens and positions, so that no step lives on values of an earlier
  // run.
  void BeginRun(const Program& program);

  // Executes units [begin, end) of a step.
  using RunUnits = absl::FunctionRef<void(int64_t begin, int64_t end)>;

  // Executes all units of the step for so many rows in several orders, which must not matter.
  // Returns Internal with the step's name and the offset where the step broke its promise; what it
  // did not declare is restored either way.
  absl::Status RunStep(const Step& step, int64_t rows, RunUnits run);

 private:
  struct Region {
    Space space;
    const char* name;
    uint8_t* data;
    uint64_t size;
    AnonymousMemory saved;     // before the step
    AnonymousMemory poisoned;  // as the kernel finds it
    AnonymousMemory result;    // after the first execution
  };

  absl::Status Execute(const Step& step, uint8_t pattern, absl::FunctionRef<void()> execute);
  absl::Status ExecuteByRows(const Step& step, int64_t rows, RunUnits run);
  absl::Status CompareWithResult(const Step& step) const;

  std::array<Region, 2> regions_;
  AnonymousMemory row_results_;  // of the arena, row by row as they come
};

}  // namespace weft
