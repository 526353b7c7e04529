// Runs the kernels of a small module one by one against the reference evaluator, every buffer
// against an inaccessible page.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "codegen/target.h"
#include "ir/evaluator.h"

namespace weft::codegen {

// Memory that ends where an inaccessible page begins, filled with 0xFF. What stands before it on
// its first page is checked: a write there fails the test that owns the buffer.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(uint64_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(GuardedBuffer&& other) noexcept;
  GuardedBuffer& operator=(GuardedBuffer&& other) = delete;

  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  uint8_t* map_ = nullptr;
  uint64_t map_bytes_ = 0;
  uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
};

// The targets that tests run: those that this machine executes, and the others emulated.
std::vector<Target> TestTargets();

struct KernelRun {
  int64_t tokens = 1;
  int64_t logit_rows = 1;
  int64_t context = 100;  // positions of the KV cache
  // Each kernel gets its rows in runs of this many, one after another; 0: all in one. For modules
  // whose rows are all tokens.
  int64_t piece = 0;
  // Each kernel gets its units in groups of this many; 0: all at once.
  int64_t group = 0;
};

// Tensors by name, F32 or Q8_0 blocks, for `weight` nodes.
using TestTensors = std::map<std::string, std::vector<uint8_t>>;

// `text` is a module in which `input` nodes may have any type: they get random values (i32: ids
// below 7). Every step runs as a kernel, and its result is compared with what the evaluator makes
// of the same operands: |difference| ≤ tolerance · (1 + |value|). A step must name its partition
// and units, as schedule would. Returns the bytes of the last node's result, for comparing bits.
std::vector<uint8_t> RunKernels(absl::string_view text, const TestTensors& tensors,
                                const Target& target, const KernelRun& run, double tolerance);

// RunKernels over all test targets, several numbers of tokens and groups of units; the bits must be
// the same for every target and group.
void CheckKernels(absl::string_view text, const TestTensors& tensors, double tolerance);

// Normally distributed F32 values.
std::vector<uint8_t> RandomTensor(int64_t values, uint32_t seed);

}  // namespace weft::codegen
