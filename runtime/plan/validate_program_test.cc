#include "runtime/plan/validate_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "runtime/plan/test_program.h"

namespace weft {
namespace {

using testing::HasSubstr;

TEST(ValidateProgram, TakesAGoodOne) {
  EXPECT_TRUE(ValidateProgram(TestProgram()).ok()) << ValidateProgram(TestProgram());
  Program edge = TestProgram();
  edge.steps[0].operands.push_back({Space::kArena, 1024, 0, true});
  EXPECT_TRUE(ValidateProgram(edge).ok()) << "an empty operand at the end of its space";
  edge.steps[0].operands[2].bytes = 3 * 64 + 4;
  EXPECT_TRUE(ValidateProgram(edge).ok()) << "rows of a view, of which the last ends early";
  edge.steps.clear();
  EXPECT_TRUE(ValidateProgram(edge).ok());
}

TEST(ValidateProgram, RowsOfExtents) {
  EXPECT_EQ(RowsOf(Extent::kOne, 7, 3), 1);
  EXPECT_EQ(RowsOf(Extent::kTokens, 7, 3), 7);
  EXPECT_EQ(RowsOf(Extent::kLogitRows, 7, 3), 3);
}

TEST(ValidateProgram, RefusesWhatCannotRun) {
  struct Case {
    void (*spoil)(Program& program);
    const char* message;
  };
  const Case cases[] = {
      {[](Program& p) { p.arena_bytes = UINT64_MAX; }, "arena_bytes is"},
      {[](Program& p) { p.weight_bytes = kMaxSpaceBytes + 1; }, "weight_bytes is"},
      {[](Program& p) { p.kv_bytes = UINT64_MAX; }, "kv_bytes is"},
      {[](Program& p) { p.max_tokens = 0; }, "max_tokens is 0"},
      {[](Program& p) { p.max_tokens = kMaxRows + 1; }, "max_tokens is"},
      {[](Program& p) { p.max_tokens = 17; }, "tokens has 64 bytes, its rows need 68"},
      {[](Program& p) { p.max_logit_rows = 0; }, "max_logit_rows is 0"},
      {[](Program& p) { p.max_logit_rows = 5; }, "max_logit_rows is 5, not within 1 to 4"},
      {[](Program& p) { p.max_logit_rows = 3; }, "logits has 128 bytes, its rows need 168"},
      {[](Program& p) { p.context = 0; }, "context is 0"},
      {[](Program& p) { p.context = INT64_MAX; }, "context is"},
      {[](Program& p) { p.vocab = -1; }, "vocab is -1"},
      {[](Program& p) { p.vocab = 17; }, "logits_stride is 64 for rows of 68"},
      {[](Program& p) { p.logits_stride = 66; }, "logits_stride is 66"},
      {[](Program& p) { p.logits_stride = UINT64_MAX - 3; }, "logits_stride is"},
      {[](Program& p) { p.logits_stride = 1024; }, "logits has 128 bytes"},
      {[](Program& p) { p.tokens.space = Space::kKvCache; }, "tokens is not in the arena"},
      {[](Program& p) { p.positions.bytes = 12; }, "positions has 12 bytes"},
      {[](Program& p) { p.argmax.offset = 1020; }, "argmax has 64 bytes at 1020 of the arena"},
      {[](Program& p) { p.argmax.space = static_cast<Space>(9); }, "argmax lies in no known space"},
      {[](Program& p) { p.steps[1].units = 0; }, "units of step 1 'model.attention' is 0"},
      {[](Program& p) { p.steps[1].units = INT64_MAX; }, "units of step 1"},
      {[](Program& p) { p.steps[0].unit_rows = 0; }, "unit_rows of step 0"},
      {[](Program& p) { p.steps[0].unit_rows = 2; }, "works by rows, but has 2 of them in a unit"},
      {[](Program& p) { p.steps[0].operands.resize(65); }, "has 65 operands, more than 64"},
      {[](Program& p) { p.steps.resize(65537, p.steps[1]); }, "has 65537 steps, more than 65536"},
      {[](Program& p) { p.steps[0].unit_rows = INT64_MAX; }, "unit_rows of step 0"},
      {[](Program& p) { p.steps[0].grain = 0; }, "grain of step 0"},
      {[](Program& p) { p.steps[0].grain = INT64_MAX; }, "grain of step 0"},
      {[](Program& p) { p.steps[0].weight_bytes = -1; }, "weight_bytes of step 0"},
      {[](Program& p) { p.steps[2].macs_per_row = INT64_MIN; }, "macs_per_row of step 2"},
      {[](Program& p) { p.steps[2].kernel = ""; }, "step 2 'lm_head' names no kernel"},
      {[](Program& p) { p.steps[2].extent = static_cast<Extent>(3); }, "no known extent"},
      {[](Program& p) {
         p.steps[1].operands[1].written = true, p.steps[1].operands[1].space = Space::kWeights;
       },
       "operand 1 of step 1 'model.attention' writes to the weights"},
      {[](Program& p) { p.steps[0].operands[1].offset = UINT64_MAX - 3; }, "operand 1 of step 0"},
      {[](Program& p) { p.steps[0].operands[1].bytes = UINT64_MAX; }, "operand 1 of step 0"},
      {[](Program& p) { p.steps[0].operands[1].bytes = 4937; }, "operand 1 of step 0"},
      {[](Program& p) { p.steps[0].operands[1].offset = 66; }, "no multiple of 4"},
      {[](Program& p) { p.steps[0].operands[2].stride = 128; },
       "operand 2 of step 0 'model.embed' has 256 bytes, which are not 4 rows 128 bytes apart"},
      {[](Program& p) { p.steps[0].operands[2].stride = 63; }, "rows 63 bytes apart"},
      {[](Program& p) { p.steps[0].operands[2].stride = 48; }, "rows 48 bytes apart"},
      {[](Program& p) { p.steps[0].operands[2].stride = UINT64_MAX; }, "rows 18446744073709551615"},
      {[](Program& p) { p.steps[0].operands[2].bytes = 0; }, "has 0 bytes, which are not 4 rows"},
      {[](Program& p) { p.steps[0].operands[2].bytes = 192; }, "are not 4 rows 64 bytes apart"},
      {[](Program& p) { p.steps[0].operands[1].stride = 160; },
       "operand 1 of step 0 'model.embed' has a stride, but"},
      {[](Program& p) { p.steps[2].operands[2].stride = 64, p.steps[2].extent = Extent::kOne; },
       "operand 2 of step 2 'lm_head' has a stride, but its step has no rows"},
      {[](Program& p) { p.kv_bytes = 255; }, "256 bytes at 0 of the KV cache, which has 255"},
  };
  for (const Case& c : cases) {
    Program program = TestProgram();
    c.spoil(program);
    const absl::Status status = ValidateProgram(program);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace weft
