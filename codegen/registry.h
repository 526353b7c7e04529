// Which emitter writes a kernel: an ordered table; the first row that does not refuse wins.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codegen/kernel_spec.h"
#include "codegen/target.h"

namespace weft::codegen {

class KernelBuilder;

struct Emitter {
  absl::string_view name;
  ir::Op op;
  // OK, or why this emitter does not write that kernel.
  absl::Status (*accepts)(const KernelSpec& spec, const Target& target);
  void (*emit)(KernelBuilder& k);
};

struct Choice {
  const Emitter* emitter = nullptr;
  std::vector<std::string> refusals;  // of the rows tried before: "name: reason"
};

// An error that lists every refusal where no emitter takes the spec.
absl::StatusOr<Choice> ChooseEmitter(const KernelSpec& spec, const Target& target);

}  // namespace weft::codegen
