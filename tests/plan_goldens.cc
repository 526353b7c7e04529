#include "tests/plan_goldens.h"

#include <gtest/gtest.h>

#include "tests/harness.h"

namespace weft {
namespace {

// As in golden_test.cc.
constexpr double kTolerance = 3e-5;

}  // namespace

void ExpectGoldens(const runtime::Plan& plan, const std::string& model) {
  const Golden golden = *ReadGolden(TinyPath(model));
  plan.Verify();
  const auto vocab = static_cast<size_t>(plan.vocab());
  ASSERT_EQ(golden.logits.size(), golden.input_ids.size() * vocab);
  runtime::Session session(plan, 2);
  for (size_t i = 0; i < golden.input_ids.size(); ++i) {
    session.Decode(golden.input_ids[i]);
    for (size_t v = 0; v < vocab; ++v)
      ASSERT_NEAR(session.Logits()[v], golden.logits[i * vocab + v], kTolerance);
  }
  EXPECT_EQ(session.position(), static_cast<int64_t>(golden.input_ids.size()));
  std::vector<int32_t> greedy;
  while (greedy.size() < golden.greedy_ids.size()) {
    greedy.push_back(session.Argmax());
    session.Decode(greedy.back());
  }
  EXPECT_EQ(greedy, golden.greedy_ids);
}

}  // namespace weft
