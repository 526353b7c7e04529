#include "tools/perf_map.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

TEST(PerfMapTest, ALinePerFunctionWithTheOpsThatItComputes) {
  Program program;
  program.steps.push_back({.name = "model.layers.0.norm", .kind = "rms_norm", .kernel = "norm_8"});
  for (const char* name : {"model.layers.0.mlp.up", "model.layers.1.mlp.up", "lm_head"}) {
    program.steps.push_back({.name = name, .kind = "matmul", .kernel = "matmul_8"});
    program.steps.back().macs_per_row = 1;
  }
  EXPECT_EQ(
      PerfMap(program,
              {{"norm_8", 0x7f0010, 0x20}, {"matmul_8", 0x7f0100, 0x1a3}, {"helper", 0x7f0400, 8}}),
      "7f0010 20 rms_norm: norm_8\n"
      "7f0100 1a3 model.layers.*.mlp.up, lm_head: matmul_8\n"
      "7f0400 8 helper\n");
}

}  // namespace
}  // namespace weft::tools
