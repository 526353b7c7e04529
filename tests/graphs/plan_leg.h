// The long way: code linked to a shared object, a plan file written, read and run.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/program_builder.h"
#include "ir/weight_reader.h"
#include "tests/graphs/graph_case.h"

namespace weft::graphs {

// Logits of all tokens, by the threads and chunks of the variant. The plan and its code live in a
// temporary folder that is gone afterwards.
absl::StatusOr<std::vector<float>> LogitsOfPlan(
    const ir::Module& planned, const codegen::BuiltProgram& built, const codegen::Target& target,
    const ir::WeightReader& weights, absl::Span<const int32_t> tokens, const Variant& variant);

}  // namespace weft::graphs
