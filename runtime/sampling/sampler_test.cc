#include "runtime/sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Nothing cut, nothing penalised, temperature 1.
SamplerOptions Plain(uint64_t seed = 1) {
  SamplerOptions options;
  options.temperature = 1.0f;
  options.top_k = 0;
  options.top_p = 1.0f;
  options.min_p = 0.0f;
  options.seed = seed;
  return options;
}

Sampler Make(const SamplerOptions& options) {
  absl::StatusOr<Sampler> sampler = Sampler::Create(options);
  EXPECT_TRUE(sampler.ok()) << sampler.status();
  return *std::move(sampler);
}

// How often each id comes.
std::map<int32_t, int> Count(const SamplerOptions& options, const std::vector<float>& logits,
                             int draws) {
  Sampler sampler = Make(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[*sampler.Sample(logits)];
  return counts;
}

// The ids that come at all; with 5,000 draws an id of probability above 0.3 % is missed once in
// three million times.
std::set<int32_t> Support(const SamplerOptions& options, const std::vector<float>& logits) {
  std::set<int32_t> ids;
  for (const auto& [id, count] : Count(options, logits, 5000)) ids.insert(id);
  return ids;
}

// Logits with these probabilities.
std::vector<float> LogitsOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (double p : probabilities) logits.push_back(float(std::log(p)));
  return logits;
}

double ChiSquare(const std::map<int32_t, int>& counts, const std::vector<double>& probabilities,
                 int draws) {
  double sum = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const auto it = counts.find(int32_t(i));
    const double expected = probabilities[i] * draws;
    const double seen = it == counts.end() ? 0 : it->second;
    sum += (seen - expected) * (seen - expected) / expected;
  }
  return sum;
}

TEST(SamplerStatistics, FollowsTheSoftmax) {
  const std::vector<double> p = {0.4, 0.05, 0.2, 0.01, 0.14, 0.1, 0.07, 0.03};
  constexpr int kDraws = 100000;
  for (uint64_t seed : {1, 2}) {
    // 24.32 is the quantile of 0.999 for 7 degrees of freedom.
    EXPECT_LT(ChiSquare(Count(Plain(seed), LogitsOf(p), kDraws), p, kDraws), 24.32) << seed;
  }
}

TEST(SamplerStatistics, TemperatureSharpensAndFlattens) {
  const std::vector<double> p = {0.5, 0.3, 0.15, 0.05};
  constexpr int kDraws = 50000;
  for (double temperature : {0.5, 2.0}) {
    SamplerOptions options = Plain(9);
    options.temperature = float(temperature);
    std::vector<double> q;
    double total = 0;
    for (double x : p) total += std::pow(x, 1 / temperature);
    for (double x : p) q.push_back(std::pow(x, 1 / temperature) / total);
    // The quantile of 0.999 for 3 degrees of freedom.
    EXPECT_LT(ChiSquare(Count(options, LogitsOf(p), kDraws), q, kDraws), 16.27) << temperature;
  }
}

TEST(SamplerStatistics, TruncationRenormalises) {
  SamplerOptions options = Plain(4);
  options.top_k = 2;
  constexpr int kDraws = 100000;
  const auto counts = Count(options, LogitsOf({0.2, 0.5, 0.3}), kDraws);
  EXPECT_EQ(counts.count(0), 0u);
  EXPECT_NEAR(counts.at(1) / double(kDraws), 0.625, 5 * std::sqrt(0.625 * 0.375 / kDraws));
}

TEST(SamplerTruncation, TopKKeepsTheLargestAndTheLowerIdsOfEquals) {
  SamplerOptions options = Plain();
  options.top_k = 3;
  EXPECT_THAT(Support(options, {1, 3, 2, 2, 0, 2}), ElementsAre(1, 2, 3));
  options.top_k = 100;
  EXPECT_THAT(Support(options, {0, 0.5f, 0.25f}), ElementsAre(0, 1, 2));
  options.top_k = 1;
  EXPECT_THAT(Support(options, {0, 7, 7}), ElementsAre(1));
}

// Vocabularies are larger than what a sampler looks at closely: here against sorting all of them.
TEST(SamplerTruncation, TopKOfManyIsThatOfSortingThemAll) {
  uint32_t state = 1;
  const auto next = [&state](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  for (const uint32_t values : {3U, 50U, 100'000U}) {  // few: most are equal to others
    for (const size_t size : {1, 31, 32, 33, 100, 5000}) {
      std::vector<float> logits(size);
      for (float& logit : logits) {
        logit = static_cast<float>(next(values)) - static_cast<float>(values);
        if (next(20) == 0) logit = -kInfinity;
      }
      logits[next(static_cast<uint32_t>(size))] = 1;  // one at least is finite
      std::vector<int32_t> sorted;
      for (size_t i = 0; i < size; ++i) sorted.push_back(static_cast<int32_t>(i));
      std::ranges::sort(sorted, [&](int32_t a, int32_t b) {
        const float x = logits[static_cast<size_t>(a)];
        const float y = logits[static_cast<size_t>(b)];
        return x != y ? x > y : a < b;
      });
      SamplerOptions greedy = Plain();
      greedy.temperature = 0;
      EXPECT_EQ(*Make(greedy).Sample(logits), sorted[0]);
      for (const size_t k : {1, 2, 15, 16, 17, 40, 6000}) {
        // So hot that all that are kept come alike, but for those without any weight.
        SamplerOptions hot = Plain();
        hot.temperature = 1e9F;
        hot.top_k = static_cast<int>(k);
        std::set<int32_t> kept;
        for (size_t i = 0; i < std::min(k, sorted.size()); ++i)
          if (!std::isinf(logits[static_cast<size_t>(sorted[i])])) kept.insert(sorted[i]);
        std::set<int32_t> seen;
        Sampler sampler = Make(hot);
        for (size_t draw = 0; draw < 20 * kept.size() + 20 && k <= 40; ++draw)
          seen.insert(*sampler.Sample(logits));
        if (k <= 40)
          EXPECT_EQ(seen, kept) << values << " " << size << " " << k;
        else
          EXPECT_EQ(kept.count(*sampler.Sample(logits)), 1U);
      }
    }
  }
}

TEST(SamplerTruncation, TopPKeepsTheFewestThatReachIt) {
  SamplerOptions options = Plain();
  const std::vector<float> logits =
      LogitsOf({0.1, 0.45, 0.05, 0.25, 0.15});  // in order: 1, 3, 4, 0, 2
  options.top_p = 0.4f;
  EXPECT_THAT(Support(options, logits), ElementsAre(1));
  options.top_p = 0.5f;
  EXPECT_THAT(Support(options, logits), ElementsAre(1, 3));
  options.top_p = 0.8f;
  EXPECT_THAT(Support(options, logits), ElementsAre(1, 3, 4));
  options.top_p = 0.9f;
  EXPECT_THAT(Support(options, logits), ElementsAre(0, 1, 3, 4));
  options.top_p = 1e-9f;
  EXPECT_THAT(Support(options, logits), ElementsAre(1));
}

TEST(SamplerTruncation, TopPCountsOverWhatTopKKept) {
  SamplerOptions options = Plain();
  options.top_k = 2;
  options.top_p = 0.6f;
  // Of 0.4 and 0.2 alone the first has two thirds, which reaches 0.6; of all five it would take
  // two.
  EXPECT_THAT(Support(options, LogitsOf({0.4, 0.2, 0.15, 0.15, 0.1})), ElementsAre(0));
}

TEST(SamplerTruncation, MinPIsRelativeToTheMostProbable) {
  SamplerOptions options = Plain();
  const std::vector<float> logits = LogitsOf({0.5, 0.26, 0.14, 0.1});
  options.min_p = 0.5f;  // at least 0.25
  EXPECT_THAT(Support(options, logits), ElementsAre(0, 1));
  options.min_p = 0.25f;  // at least 0.125
  EXPECT_THAT(Support(options, logits), ElementsAre(0, 1, 2));
  options.min_p = 1.0f;
  EXPECT_THAT(Support(options, logits), ElementsAre(0));
  EXPECT_THAT(Support(options, {2, 2, 1}), ElementsAre(0, 1));
}

TEST(SamplerTruncation, HappensBeforeTheTemperature) {
  // At temperature 4 the three would be nearly equal and pass a min-p of 0.5; before it only the
  // first does.
  SamplerOptions options = Plain();
  options.min_p = 0.5f;
  options.temperature = 4.0f;
  EXPECT_THAT(Support(options, LogitsOf({0.6, 0.2, 0.2})), ElementsAre(0));
}

TEST(SamplerGreedy, TakesTheLowestIdOfTheLargest) {
  SamplerOptions options;
  options.temperature = 0.0f;
  Sampler sampler = Make(options);
  EXPECT_EQ(*sampler.Sample({1, 5, 3, 5}), 1);
  EXPECT_EQ(*sampler.Sample({0.0f, -0.0f}), 0);
  EXPECT_EQ(*sampler.Sample({-0.0f, 0.0f}), 0);
  EXPECT_EQ(*sampler.Sample({-kInfinity, -7, -9}), 1);
  EXPECT_EQ(*sampler.Sample({-kInfinity, -kInfinity}), 0);
}

// Wherever it stands: among the first, in blocks of which nothing is likely, in the rest behind the
// last whole block; with each way through the chain.
TEST(SamplerBroken, LogitsThatAreNoNumbersAreErrors) {
  SamplerOptions greedy;
  greedy.temperature = 0.0f;
  SamplerOptions penalised;
  penalised.repeat_penalty = 1.5f;
  for (const SamplerOptions& options : {greedy, Plain(), SamplerOptions(), penalised}) {
    for (const auto& [broken, name] : {std::pair(kNan, "NaN"), {kInfinity, "infinite"}}) {
      for (const size_t size : {size_t{1}, size_t{2}, size_t{500}}) {
        for (const size_t at : {size_t{0}, size / 3, size / 2, size - 1}) {
          std::vector<float> logits(size);
          // Falling, so that candidates are full after the first of them.
          for (size_t i = 0; i < size; ++i) logits[i] = -float(i);
          Sampler sampler = Make(options);
          sampler.Accept(0);
          ASSERT_TRUE(sampler.Sample(logits).ok());
          logits[at] = broken;
          const absl::Status status = sampler.Sample(logits).status();
          EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size << ", " << at;
          EXPECT_THAT(std::string(status.message()),
                      HasSubstr("token " + std::to_string(at) + " is " + name));
        }
      }
    }
    EXPECT_EQ(Make(options).Sample({}).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(*Make(options).Sample({-kInfinity, 1, -kInfinity}), 1);
  }
}

TEST(SamplerPenalty, DividesPositiveAndMultipliesNegativeLogits) {
  SamplerOptions options;
  options.temperature = 0.0f;
  options.repeat_penalty = 2.0f;
  Sampler sampler = Make(options);
  const std::vector<float> logits = {3.0f, 2.0f, -1.0f};
  EXPECT_EQ(*sampler.Sample(logits), 0);
  sampler.Accept(0);  // 3 → 1.5
  EXPECT_EQ(*sampler.Sample(logits), 1);
  sampler.Accept(1);  // 2 → 1
  EXPECT_EQ(*sampler.Sample(logits), 0);
  sampler.Accept(0);  // twice is no more than once
  EXPECT_EQ(*sampler.Sample(logits), 0);
  sampler.Accept(77);
  sampler.Accept(-5);
  EXPECT_EQ(*sampler.Sample(logits), 0);
  // A penalty below 1 rewards, but never up to infinity.
  options.repeat_penalty = 0.5f;
  Sampler reward = Make(options);
  reward.Accept(1);
  EXPECT_EQ(*reward.Sample({3.0f, 2.0f}), 1);
  EXPECT_EQ(*reward.Sample({0.0f, std::numeric_limits<float>::max()}), 1);
  // Nor down to what cannot be.
  options.repeat_penalty = 10.0f;
  Sampler lowest = Make(options);
  lowest.Accept(1);
  EXPECT_EQ(*lowest.Sample({-kInfinity, -std::numeric_limits<float>::max()}), 1);
  options.repeat_penalty = 2.0f;
  // -1 → -2, below -1.5.
  Sampler negative = Make(options);
  negative.Accept(0);
  EXPECT_EQ(*negative.Sample({-1.0f, -1.5f}), 1);
}

TEST(SamplerPenalty, ForgetsWhatIsOlderThanLastN) {
  SamplerOptions options;
  options.temperature = 0.0f;
  options.repeat_penalty = 10.0f;
  options.repeat_last_n = 2;
  Sampler sampler = Make(options);
  const std::vector<float> logits = {5, 4, 3, 2};
  std::vector<int32_t> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(*sampler.Sample(logits));
    sampler.Accept(ids.back());
  }
  EXPECT_THAT(ids, ElementsAre(0, 1, 2, 0, 1, 2, 0));
  options.repeat_last_n = 0;
  Sampler off = Make(options);
  off.Accept(0);
  EXPECT_EQ(*off.Sample(logits), 0);
}

TEST(SamplerSeed, OneSeedGivesOneSequence) {
  std::vector<float> logits;
  for (int i = 0; i < 500; ++i) logits.push_back(float((i * 37) % 101) * 0.05f);
  auto sequence = [&](uint64_t seed) {
    SamplerOptions options = Plain(seed);
    Sampler sampler = Make(options);
    std::vector<int32_t> ids;
    for (int i = 0; i < 100; ++i) ids.push_back(*sampler.Sample(logits));
    return ids;
  };
  EXPECT_EQ(sequence(42), sequence(42));
  EXPECT_NE(sequence(42), sequence(43));
}

TEST(SamplerSeed, DrawsByCumulativeWeightInFallingOrder) {
  // Weights 4 : 2 : 1 : 1 in falling order are ids 2, 0, 1, 3, so the draw u picks 2 below 1/2, 0
  // below 3/4, then 1, then 3.
  const std::vector<float> logits = LogitsOf({0.25, 0.125, 0.5, 0.125});
  Sampler sampler = Make(Plain(7));
  Random random(7);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.NextUnit();
    const int32_t expected = u < 0.5 ? 2 : u < 0.75 ? 0 : u < 0.875 ? 1 : 3;
    ASSERT_EQ(*sampler.Sample(logits), expected) << i;
  }
}

TEST(SamplerOptions, DefaultsAreLlamaCpps) {
  const SamplerOptions options;
  EXPECT_EQ(options.temperature, 0.8f);
  EXPECT_EQ(options.top_k, 40);
  EXPECT_EQ(options.top_p, 0.95f);
  EXPECT_EQ(options.min_p, 0.05f);
  EXPECT_EQ(options.repeat_penalty, 1.0f);
  EXPECT_EQ(options.repeat_last_n, 64);
}

TEST(SamplerOptions, BadValuesAreNamed) {
  auto expect_bad = [](void (*change)(SamplerOptions&), const std::string& name) {
    SamplerOptions options;
    change(options);
    const auto sampler = Sampler::Create(options);
    EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(sampler.status().message()), HasSubstr(name));
  };
  expect_bad([](SamplerOptions& o) { o.temperature = -0.1f; }, "temperature");
  expect_bad([](SamplerOptions& o) { o.temperature = kNan; }, "temperature");
  expect_bad([](SamplerOptions& o) { o.temperature = kInfinity; }, "temperature");
  expect_bad([](SamplerOptions& o) { o.top_k = -1; }, "top-k");
  expect_bad([](SamplerOptions& o) { o.top_p = 0.0f; }, "top-p");
  expect_bad([](SamplerOptions& o) { o.top_p = 1.1f; }, "top-p");
  expect_bad([](SamplerOptions& o) { o.top_p = kNan; }, "top-p");
  expect_bad([](SamplerOptions& o) { o.min_p = -0.1f; }, "min-p");
  expect_bad([](SamplerOptions& o) { o.min_p = 1.5f; }, "min-p");
  expect_bad([](SamplerOptions& o) { o.repeat_penalty = 0.0f; }, "repeat-penalty");
  expect_bad([](SamplerOptions& o) { o.repeat_penalty = kNan; }, "repeat-penalty");
  expect_bad([](SamplerOptions& o) { o.repeat_last_n = -1; }, "repeat-last-n");
}

// The edges of every option's range, all with all, over the edges of what logits can be: an id
// comes out, the same each time, and never one of no probability.
TEST(SamplerOptions, ExtremesAreDefined) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  const std::vector<std::vector<float>> all_logits = {{0},
                                                      {kLargest, -kLargest, 0, kLargest},
                                                      {kSmallest, 0, -kSmallest, kSmallest},
                                                      {-kInfinity, -kLargest, -kInfinity},
                                                      {1e30f, 1e30f, -1e30f, 1e-30f}};
  int cases = 0;
  for (const float temperature : {0.0f, kSmallest, 1e-30f, 1.0f, 1e30f, kLargest}) {
    for (const int top_k : {0, 1, std::numeric_limits<int>::max()}) {
      for (const float top_p : {kSmallest, 0.5f, 1.0f}) {
        for (const float min_p : {0.0f, kSmallest, 1.0f}) {
          for (const float penalty : {kSmallest, 1.0f, kLargest}) {
            for (const uint64_t seed : {uint64_t{0}, std::numeric_limits<uint64_t>::max()}) {
              const SamplerOptions options = {
                  temperature, top_k, top_p, min_p, penalty, std::numeric_limits<int>::max(), seed};
              for (const std::vector<float>& logits : all_logits) {
                ++cases;
                Sampler a = Make(options);
                Sampler b = Make(options);
                for (int i = 0; i < 3; ++i) {
                  const auto id = a.Sample(logits);
                  ASSERT_TRUE(id.ok()) << id.status();
                  ASSERT_GE(*id, 0);
                  ASSERT_LT(*id, int32_t(logits.size()));
                  ASSERT_EQ(*id, *b.Sample(logits));
                  ASSERT_NE(logits[size_t(*id)], -kInfinity);
                  for (Sampler* sampler : {&a, &b}) sampler->Accept(*id);
                }
              }
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(cases, 6 * 3 * 3 * 3 * 3 * 2 * 5);
}

TEST(SamplerTemperature, TinyOnesStayFinite) {
  SamplerOptions options = Plain();
  options.temperature = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(Support(options, {1.0f, 1.0f + 1e-6f, 0.5f}), ElementsAre(1));
}

}  // namespace
}  // namespace weft
