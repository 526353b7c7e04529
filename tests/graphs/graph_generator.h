// Random graphs as a front end may hand them to the passes: every op that may stand there, wired in
// every way that the verifier and the pipeline allow, not only as the families do it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/module.h"
#include "tests/graphs/palette.h"

namespace weft::graphs {

// A verified module with outputs {logits, argmax} that depends on tokens and positions.
ir::Module RandomGraph(const Palette& palette, uint64_t seed);

// What occurs in a module, in words: "matmul", "attention window", "heads for each of the cache:
// 3". graph_generator_test.cc says which must.
std::vector<std::string> Features(const ir::Module& module);

}  // namespace weft::graphs
