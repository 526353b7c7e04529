// Programs whose kernels are C++ functions, for tests of what runs programs.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "runtime/abi/program.h"

namespace weft {

// A program under construction. It has room for `max_tokens` rows at a time of a vocabulary of 8;
// the ports lie at the start of the arena and steps take what Arena() and Kv() give.
class TestModel {
 public:
  static constexpr int64_t kVocab = 8;
  static constexpr uint64_t kRowBytes = kVocab * sizeof(int32_t);

  explicit TestModel(int64_t max_tokens = 4, int64_t max_logit_rows = 4, int64_t context = 64) {
    program.max_tokens = max_tokens;
    program.max_logit_rows = max_logit_rows;
    program.context = context;
    program.vocab = kVocab;
    const auto tokens = static_cast<uint64_t>(max_tokens);
    const auto rows = static_cast<uint64_t>(max_logit_rows);
    program.tokens = Arena(tokens * sizeof(int32_t));
    program.positions = Arena(tokens * sizeof(int32_t));
    program.logits_stride = 64;
    program.logits = Arena(rows * program.logits_stride);
    program.logits.written = true;
    program.argmax = Arena(rows * sizeof(int32_t));
    program.argmax.written = true;
  }

  // The next bytes of the space, at a multiple of 64.
  OperandRef Arena(uint64_t bytes) { return Take(Space::kArena, program.arena_bytes, bytes); }
  OperandRef Kv(uint64_t bytes) { return Take(Space::kKvCache, program.kv_bytes, bytes); }

  void Add(const std::string& name, KernelFn kernel, Extent extent, int64_t units, int64_t grain,
           std::vector<OperandRef> operands) {
    Step step;
    step.name = name;
    step.kind = "test";
    step.kernel = name + "_kernel";
    step.extent = extent;
    step.units = units;
    step.grain = grain;
    step.operands = std::move(operands);
    program.steps.push_back(std::move(step));
    kernels.push_back(kernel);
  }

  static OperandRef Reads(OperandRef bytes) {
    bytes.written = false;
    return bytes;
  }
  static OperandRef Writes(OperandRef bytes) {
    bytes.written = true;
    return bytes;
  }

  Program program;
  std::vector<KernelFn> kernels;

 private:
  static OperandRef Take(Space space, uint64_t& end, uint64_t bytes) {
    const OperandRef result = {space, end, bytes, false};
    end += (bytes + 63) / 64 * 64;
    return result;
  }
};

// A model that remembers: the cache holds every id, and the logit of token v after a position is
// the number of times that v has occurred up to it, plus 1/2 for the successor (id + 1) mod vocab
// of the last id. Chunks and workers must not change anything.
inline TestModel CountingModel(int64_t max_tokens = 4, int64_t max_logit_rows = 4,
                               int64_t context = 64) {
  TestModel model(max_tokens, max_logit_rows, context);
  const OperandRef cache = model.Kv(static_cast<uint64_t>(context) * sizeof(int32_t));
  // Unit: a token. (ids, positions) → cache
  const KernelFn store = [](const KernelContext*, void* const* operands, int64_t begin,
                            int64_t end) {
    const auto* ids = static_cast<const int32_t*>(operands[0]);
    const auto* positions = static_cast<const int32_t*>(operands[1]);
    for (int64_t i = begin; i < end; ++i) static_cast<int32_t*>(operands[2])[positions[i]] = ids[i];
  };
  // Unit: one logit of one row. (cache) → logits
  const KernelFn count = [](const KernelContext* context, void* const* operands, int64_t begin,
                            int64_t end) {
    const auto* ids = static_cast<const int32_t*>(operands[0]);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t row = unit / TestModel::kVocab;
      const auto v = static_cast<int32_t>(unit % TestModel::kVocab);
      const int64_t last = context->position + context->tokens - context->logit_rows + row;
      float logit = (ids[last] + 1) % TestModel::kVocab == v ? 0.5f : 0.0f;
      for (int64_t at = 0; at <= last; ++at) logit += ids[at] == v ? 1.0f : 0.0f;
      static_cast<float*>(operands[1])[row * 16 + v] = logit;
    }
  };
  // Unit: a row. (logits) → argmax
  const KernelFn argmax = [](const KernelContext*, void* const* operands, int64_t begin,
                             int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* logits = static_cast<const float*>(operands[0]) + row * 16;
      int32_t best = 0;
      for (int32_t v = 1; v < TestModel::kVocab; ++v) best = logits[v] > logits[best] ? v : best;
      static_cast<int32_t*>(operands[1])[row] = best;
    }
  };
  const Program& p = model.program;
  model.Add("store", store, Extent::kTokens, 1, 1,
            {p.tokens, p.positions, TestModel::Writes(cache)});
  model.Add("count", count, Extent::kLogitRows, TestModel::kVocab, 3, {cache, p.logits});
  model.Add("argmax", argmax, Extent::kLogitRows, 1, 1, {TestModel::Reads(p.logits), p.argmax});
  return model;
}

// What CountingModel gives after `ids`.
inline std::vector<float> CountingLogits(const std::vector<int32_t>& ids) {
  std::vector<float> logits(TestModel::kVocab);
  for (const int32_t id : ids) logits[static_cast<size_t>(id)] += 1.0f;
  logits[static_cast<size_t>((ids.back() + 1) % TestModel::kVocab)] += 0.5f;
  return logits;
}

}  // namespace weft
