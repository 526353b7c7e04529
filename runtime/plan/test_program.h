// A small valid program for tests of the plan format.
#pragma once

#include "runtime/abi/program.h"

namespace weft {

// Four tokens at a time, two rows of logits, a vocabulary of 10; every field differs from its
// default.
inline Program TestProgram() {
  Program program;
  program.arena_bytes = 1024;
  program.weight_bytes = 5000;
  program.kv_bytes = 256;
  program.max_tokens = 4;
  program.max_logit_rows = 2;
  program.context = 32;
  program.vocab = 10;
  program.tokens = {Space::kArena, 0, 64, false};
  program.positions = {Space::kArena, 64, 64, false};
  program.logits = {Space::kArena, 128, 128, true};
  program.logits_stride = 64;
  program.argmax = {Space::kArena, 256, 64, true};
  program.steps = {
      {"model.embed",
       "embed",
       "embed_0",
       Extent::kTokens,
       1,
       2,
       640,
       0,
       "f32 [10x16]",
       {{Space::kArena, 0, 64, false},
        {Space::kWeights, 64, 640, false},
        {Space::kArena, 320, 256, true, 64}}},
      {"model.attention",
       "attention",
       "attention_0",
       Extent::kTokens,
       3,
       1,
       0,
       0,
       "",
       {{Space::kArena, 320, 256, false}, {Space::kKvCache, 0, 256, true}}},
      {"lm_head",
       "matmul",
       "matmul_0",
       Extent::kLogitRows,
       1,
       1,
       640,
       160,
       "f32 [10x16]",
       {{Space::kArena, 320, 256, false},
        {Space::kWeights, 64, 640, false},
        {Space::kArena, 128, 128, true}}},
      {"argmax",
       "argmax",
       "argmax_0",
       Extent::kOne,
       1,
       1,
       0,
       0,
       "",
       {{Space::kArena, 128, 128, false}, {Space::kArena, 256, 64, true}}},
  };
  program.steps[1].unit_rows = 5;
  return program;
}

}  // namespace weft
