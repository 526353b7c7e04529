#include "runtime/sampling/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weft {
namespace {

TEST(Random, MatchesThePublishedSequence) {
  // The reference output of splitmix64.c (https://prng.di.unimi.it/splitmix64.c) for the seed
  // 1234567.
  Random random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
  EXPECT_EQ(random.Next(), 4593380528125082431u);
  EXPECT_EQ(random.Next(), 16408922859458223821u);
}

TEST(Random, SkippingIsCalling) {
  Random called(42);
  for (int i = 0; i < 5; ++i) called.Next();
  Random skipped(42);
  skipped.Skip(5);
  EXPECT_EQ(skipped.Next(), called.Next());
}

TEST(Random, UnitIsBelowOneAndUniform) {
  Random random(5);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.NextUnit();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  // Mean 1/2 and mean square 1/3, within five standard errors.
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(ReproducibleExp, IsCloseToTheTrueValue) {
  EXPECT_EQ(ReproducibleExp(0.0), 1.0);
  EXPECT_EQ(ReproducibleExp(-0.0), 1.0);
  EXPECT_EQ(ReproducibleExp(-1000.0), 0.0);
  EXPECT_EQ(ReproducibleExp(-INFINITY), 0.0);
  EXPECT_DOUBLE_EQ(ReproducibleExp(-1.0), 0.36787944117144232);
  for (double x = -700; x <= 0; x += 0.0317) {
    const long double truth = std::exp(static_cast<long double>(x));
    EXPECT_NEAR(double(ReproducibleExp(x) / truth), 1.0, 1e-15) << x;
  }
  // Subnormal results: within half of their spacing, nearly.
  for (double x = -745; x <= -709; x += 0.5) {
    EXPECT_NEAR(ReproducibleExp(x), std::exp(x), 0x1p-1074) << x;
  }
}

TEST(ReproducibleExp, HasTheseBits) {
  // Whatever the machine. e^-1 rounds to 0x1.78b56362cef38p-2; ln 2 rounds a little low, so that
  // e^-ln2 rounds to 1/2.
  EXPECT_EQ(ReproducibleExp(-1.0), 0x1.78b56362cef38p-2);
  EXPECT_EQ(ReproducibleExp(-0x1.62e42fefa39efp-1), 0.5);
}

}  // namespace
}  // namespace weft
