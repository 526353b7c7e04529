// What the graphs of a run have in common. Compiling kernels is nearly all of the work; graphs of
// one palette need the same ones again and again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "passes/options.h"

namespace weft::graphs {

struct AttentionShape {
  int64_t head_dim = 0;
  int64_t cached = 0;  // heads of the cache
  int64_t heads = 0;   // that share them
  int64_t window = 0;  // 0: none
  double softcap = 0;  // 0: none
  double scale = 0;
};

struct Palette {
  // Dims. The first of each is used more often.
  std::vector<int64_t> hidden;
  std::vector<int64_t> inner;  // of feed forward networks
  int64_t vocab = 0;
  int64_t context = 0;
  std::vector<AttentionShape> attentions;
  // Attributes.
  double eps = 0;
  double offset = 0;  // of norms
  double cap = 0;
  double scale = 0;
  std::string fn;
  // Options.
  std::vector<passes::WeightsMode> weights;
  std::vector<passes::KvMode> kv;
  int64_t q8_threshold = 0;
  // The ways to compile: consecutive palettes together take every subset of the optional passes,
  // and in turn on every tier.
  std::vector<codegen::Tier> tiers;
  std::vector<uint64_t> subsets;  // of passes left out, for graph_case.h
};

// The palette of that number.
Palette RandomPalette(uint64_t number);

}  // namespace weft::graphs
