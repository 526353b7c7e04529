#include "tools/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weft::tools {
namespace {

std::vector<float> Logits(const std::vector<double>& probabilities, double shift) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p) + shift));
  return logits;
}

TEST(EvaluateTest, OfKnownDistributions) {
  // Logits are log probabilities but for a constant, which means nothing.
  const std::vector<float> model = Logits({0.5, 0.25, 0.25}, 3);
  const std::vector<float> reference = Logits({0.25, 0.5, 0.25}, -7);
  TextScore score;
  score.Add(model, reference, 2);
  EXPECT_NEAR(score.MeanNll(), std::log(4.0), 1e-6);
  EXPECT_NEAR(score.MeanReferenceNll(), std::log(4.0), 1e-6);
  // Σ p log(p / q) = 0.25 log(1/2) + 0.5 log 2 + 0
  EXPECT_NEAR(score.MeanKl(), 0.25 * std::log(2.0), 1e-6);
  EXPECT_EQ(score.TopAgreement(), 0);
  score.Add(model, model, 0);
  EXPECT_EQ(score.positions, 2);
  EXPECT_NEAR(score.MeanNll(), (std::log(4.0) + std::log(2.0)) / 2, 1e-6);
  EXPECT_NEAR(score.MeanKl(), 0.125 * std::log(2.0), 1e-6);
  EXPECT_EQ(score.TopAgreement(), 0.5);
}

TEST(EvaluateTest, WithoutAReferenceThereIsNoDivergence) {
  TextScore score;
  score.Add(Logits({0.75, 0.25}, 0), {}, 1);
  EXPECT_NEAR(score.MeanNll(), std::log(4.0), 1e-6);
  EXPECT_EQ(score.kl, 0);
  EXPECT_EQ(score.reference_nll, 0);
}

TEST(EvaluateTest, LargeLogitsDoNotOverflow) {
  TextScore score;
  score.Add({1000.0F, 1000.0F}, {-1000.0F, -1000.0F}, 0);
  EXPECT_NEAR(score.MeanNll(), std::log(2.0), 1e-9);
  EXPECT_NEAR(score.MeanKl(), 0, 1e-9);
}

}  // namespace
}  // namespace weft::tools
