// Matmuls over one input, joined or to be joined: shared by cut-weights, fuse-qkv and fuse-gate-up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ir/module.h"
#include "passes/rewrite.h"

namespace weft::passes {

// x · Wᵀ, or that plus a bias vector.
struct Projection {
  ir::NodeId matmul = -1;
  ir::NodeId bias = -1;    // the vector; -1: none
  ir::NodeId result = -1;  // the matmul or the add
};

// The projection whose result is `value`: a plain matmul by one weight, its bias included if the
// biased value is all it is used for.
std::optional<Projection> FindProjection(const ir::Module& module, const Uses& uses,
                                         ir::NodeId value);

// Distinct projections of one input: replaces them by slices of one matmul. The biases join too if
// all projections have one and they stack; else the adds stay where they are. Leaves new nodes at
// the end of the order, for SortAndCompact, and keeps `uses` true.
absl::Status JoinProjections(absl::Span<const Projection> projections, ir::Module* module,
                             Uses* uses);
bool CanJoin(absl::Span<const Projection> projections, const ir::Module& module);
// "layers.0.{q,k,v}_proj".
std::string LocationsOf(absl::Span<const Projection> projections, const ir::Module& module);

// The projection's result that all of `slices` are columns of; -1 where they are not, or not all
// different.
ir::NodeId SlicedProjection(const ir::Module& module, const Uses& uses,
                            absl::Span<const ir::NodeId> slices);
// What stands behind the norms, RoPE and scales between a projection and attention. All of these
// work on each head or element by itself, so that a slice in front of them is as good as a matmul.
ir::NodeId BehindHeads(const ir::Module& module, ir::NodeId value);

}  // namespace weft::passes
