#include "tests/graphs/palette.h"

#include <cmath>

#include "tests/graphs/graph_case.h"
#include "tests/graphs/random.h"

namespace weft::graphs {
namespace {

using passes::KvMode;
using passes::WeightsMode;

// Below, at and above what kernels work in: 16 rows of a panel and lanes of a vector, 32 values of
// a block and rows that quantise themselves, 64 rows of gate and up that do.
int64_t Width(Random* random) {
  return random->Pick<int64_t>(
      {1, 2, 5, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 64, 65, 70, 96, 100, 128, 160});
}

AttentionShape RandomAttention(Random* random, double cap) {
  AttentionShape shape;
  if (random->OneIn(8)) {  // as wide as models' heads, up to the widest allowed
    shape.head_dim = random->Pick<int64_t>({80, 96, 128, 129, 256, 500, 1008, 1024});
    shape.cached = 1;
    shape.heads = shape.head_dim > 256 ? 1 : random->Pick<int64_t>({1, 2, 3});
  } else {
    do {
      shape.head_dim =
          random->Pick<int64_t>({1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 20, 31, 32, 33, 40, 64, 72});
      shape.cached = random->Pick<int64_t>({1, 1, 2, 3, 4});
      shape.heads = shape.cached * random->Pick<int64_t>({1, 1, 2, 3, 4, 5, 8, 9, 13});
      // What one evaluates in milliseconds.
    } while (shape.heads * shape.head_dim > 160);
  }
  // About the positions of a panel of keys, of a chunk and of a span.
  if (random->OneIn(2)) shape.window = random->Pick<int64_t>({1, 2, 3, 5, 16, 17, 64, 65, 130});
  if (random->OneIn(3)) shape.softcap = cap;
  shape.scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  if (random->OneIn(3)) shape.scale = random->Pick({0.3, 1.0, -0.5});
  return shape;
}

}  // namespace

Palette RandomPalette(uint64_t number) {
  Random random(number);
  Palette palette;
  palette.hidden = {Width(&random), Width(&random)};
  palette.inner = {random.OneIn(3) ? Width(&random) : 32 * random.Between(1, 4), Width(&random)};
  // Rows of whole K-quants.
  if (random.OneIn(4)) palette.hidden[random.Below(2)] = 256;
  palette.vocab = random.Pick<int64_t>({1, 2, 3, 16, 17, 31, 33, 48, 50, 130, 290});
  // About the 64 positions of a chunk and the 128 of a span.
  palette.context = random.Pick<int64_t>({7, 20, 40, 63, 64, 65, 100, 129, 150, 260});
  palette.cap = random.Pick({0.5, 5.0, 30.0, 50.0});
  palette.attentions = {RandomAttention(&random, palette.cap),
                        RandomAttention(&random, palette.cap)};
  // As wide as the queries, as it often is.
  if (random.OneIn(2))
    palette.hidden[0] = palette.attentions[0].heads * palette.attentions[0].head_dim;
  palette.eps = random.Pick({1e-12, 1e-6, 1e-5, 1e-3});
  palette.offset = random.Pick({1.0, -0.5, 0.25});
  palette.scale = random.Pick({0.125, 0.3, 3.5, -1.0});
  palette.fn = random.Pick({"gelu", "gelu_tanh", "silu", "silu"});

  palette.weights = {
      random.Pick({WeightsMode::kF32, WeightsMode::kQ8_0, WeightsMode::kQ8_0, WeightsMode::kAuto}),
      WeightsMode::kAuto};
  palette.q8_threshold = random.Pick<int64_t>({0, 32, 48, 64, 100, 256});
  palette.kv = {random.Pick({KvMode::kF32, KvMode::kF16, KvMode::kQ8_0}), KvMode::kAuto};
  const std::vector<codegen::Tier> tiers = AllTiers();
  palette.tiers = {tiers[number % tiers.size()], tiers[(number + 1) % tiers.size()]};
  // Four subsets each, spread by an odd factor: all have their turn, on these tiers and then, a
  // round later, on the next.
  constexpr uint64_t kSubsets = 4;
  const uint64_t all = uint64_t{1} << OptionalPasses().size();
  const uint64_t round = number / (all / kSubsets);
  for (uint64_t i = 0; i < kSubsets; ++i)
    palette.subsets.push_back(((number + round) * kSubsets + i) * 11 % all);
  return palette;
}

}  // namespace weft::graphs
