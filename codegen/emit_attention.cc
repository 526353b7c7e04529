// The KV cache and attention over it.
//
// Keys stand in panels of 16 positions, so that lanes are keys and a score is one accumulator over
// head_dim; values stand row by row, so that lanes are columns. Positions are taken in chunks that
// start at multiples of kChunk whatever the step, and chunks merge in order
// (https://arxiv.org/abs/1805.02867): a result depends on the position and the cache alone, not on
// how the prompt was cut. Keys and values are read as stored, this step's included; masked
// positions add nothing.
#include <limits>
#include <vector>

#include "codegen/emitters.h"
#include "codegen/layout.h"
#include "codegen/math.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// Four vectors of scores: enough to hide the merge, and few masked scores where a chunk is part
// full.
constexpr int64_t kChunk = 4 * kLanes;
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Shapes and addresses of one layer's cache.
struct Cache {
  int64_t context, heads, head_dim;
  Value base;

  Cache(KernelBuilder& k, int operand)
      : context(k.spec().context),
        heads(k.spec().operands[operand].type.dims[2].value()),
        head_dim(k.spec().operands[operand].type.dims[3].value()),
        base(k.Operand(operand)) {}

  Value Keys(KernelBuilder& k, Value head) const {
    return k.Element(base, head, KeyHeadBytes(context, head_dim));
  }
  Value Values(KernelBuilder& k, Value head) const {
    return k.Element(k.Offset(base, heads * KeyHeadBytes(context, head_dim)), head,
                     ValueHeadBytes(context, head_dim));
  }
};

class AttentionEmitter {
 public:
  explicit AttentionEmitter(KernelBuilder& k)
      : k_(k),
        b_(k.ir()),
        cache_(k, 1),
        heads_(k.spec().node.Int(ir::Attr::kHeads)),
        scores_(k.Scratch(kChunk)),
        mixed_(k.Scratch(CeilDiv(cache_.head_dim, kLanes) * kLanes)) {}

  void Emit() {
    k_.Loop(k_.begin(), k_.end(), 1, [&](Value unit) {
      EmitHead(b_.CreateUDiv(unit, k_.I64(heads_)), b_.CreateURem(unit, k_.I64(heads_)));
    });
  }

 private:
  void EmitHead(Value token, Value head) {
    Value cached_head = b_.CreateUDiv(head, k_.I64(heads_ / cache_.heads));
    query_ = k_.Element(k_.Row(0, token), head, cache_.head_dim * 4);
    keys_ = cache_.Keys(k_, cached_head);
    values_ = cache_.Values(k_, cached_head);
    high_ = b_.CreateAdd(b_.CreateAdd(k_.position(), token), k_.I64(1));
    low_ = k_.I64(0);
    if (k_.spec().node.Has(ir::Attr::kWindow)) {
      low_ = k_.Max64(low_, b_.CreateSub(high_, k_.I64(k_.spec().node.Int(ir::Attr::kWindow))));
    }
    k_.Columns(cache_.head_dim,
               [&](Value column, Value) { k_.Store(k_.ZeroF32(), k_.Element(mixed_, column, 4)); });

    Value first = b_.CreateAnd(low_, k_.I64(-kChunk));
    const Values end = k_.Loop(first, high_, kChunk, {k_.F32(kMinusInfinity), k_.F32(0)},
                               [&](Value chunk, const Values& carried) {
                                 return EmitChunk(chunk, carried[0], carried[1]);
                               });

    Value out = k_.Element(k_.Row(2, token), head, cache_.head_dim * 4);
    k_.Columns(cache_.head_dim, [&](Value column, Value mask) {
      Value value = b_.CreateFDiv(k_.Load(k_.Element(mixed_, column, 4)), k_.Splat(end[1]));
      k_.Store(value, k_.Element(out, column, 4), mask);
    });
  }

  // The highest score so far and the sum of weights relative to it.
  Values EmitChunk(Value chunk, Value highest, Value sum) {
    Value begin = k_.Max64(low_, chunk);
    Value end = k_.Min64(high_, b_.CreateAdd(chunk, k_.I64(kChunk)));
    for (int64_t i = 0; i < kChunk; i += kLanes)
      k_.Store(k_.SplatF32(kMinusInfinity), k_.Offset(scores_, i * 4));
    Value last = b_.CreateUDiv(b_.CreateAdd(end, k_.I64(kLanes - 1)), k_.I64(kLanes));
    k_.Loop(b_.CreateUDiv(begin, k_.I64(kLanes)), last, 1,
            [&](Value panel) { EmitScores(panel, chunk); });

    Values scores;
    Value top = k_.SplatF32(kMinusInfinity);
    for (int64_t i = 0; i < kChunk; i += kLanes) {
      scores.push_back(k_.Load(k_.Offset(scores_, i * 4)));
      top = b_.CreateSelect(b_.CreateFCmpOGT(scores.back(), top), scores.back(), top);
    }
    Value chunk_top = k_.ReduceMax(top);
    Value new_highest = b_.CreateSelect(b_.CreateFCmpOGT(chunk_top, highest), chunk_top, highest);
    Value total = k_.ZeroF32();
    for (size_t i = 0; i < scores.size(); ++i) {
      Value weight = EmitExp(k_, b_.CreateFSub(scores[i], k_.Splat(new_highest)));
      k_.Store(weight, k_.Offset(scores_, static_cast<int64_t>(i) * kLanes * 4));
      total = b_.CreateFAdd(total, weight);
    }
    Value fade = EmitExp(k_, k_.Splat(b_.CreateFSub(highest, new_highest)));
    MixValues(chunk, begin, end, fade);
    return {new_highest,
            k_.Fma(sum, b_.CreateExtractElement(fade, uint64_t{0}), k_.ReduceAdd(total))};
  }

  void EmitScores(Value panel, Value chunk) {
    Value keys = k_.Element(keys_, panel, cache_.head_dim * kLanes * 4);
    const Values dot = k_.Loop(
        k_.I64(0), k_.I64(cache_.head_dim), 1, {k_.ZeroF32()}, [&](Value d, const Values& carried) {
          Value q = k_.Splat(k_.LoadF32(k_.Element(query_, d, 4)));
          return Values{k_.Fma(k_.Load(k_.Element(keys, d, kLanes * 4)), q, carried[0])};
        });
    Value score = b_.CreateFMul(dot[0], k_.SplatF32(k_.spec().node.Float(ir::Attr::kScale)));
    if (k_.spec().node.Has(ir::Attr::kSoftcap))
      score = EmitSoftcap(k_, k_.spec().node.Float(ir::Attr::kSoftcap), score);
    // Lanes within [low, high).
    Value first = b_.CreateMul(panel, k_.I64(kLanes));
    Value seen = k_.LanesBelow(b_.CreateSub(high_, first));
    Value unseen = k_.LanesBelow(b_.CreateSub(low_, first));
    Value valid = b_.CreateAnd(seen, b_.CreateNot(unseen));
    Value masked = b_.CreateSelect(valid, score, k_.SplatF32(kMinusInfinity));
    k_.Store(masked, k_.Element(scores_, b_.CreateSub(first, chunk), 4));
  }

  // mixed = mixed · fade + Σ weight · value over [begin, end), four vectors of columns at a time.
  void MixValues(Value chunk, Value begin, Value end, Value fade) {
    constexpr int64_t kAtOnce = 4;
    for (int64_t first = 0; first < cache_.head_dim; first += kAtOnce * kLanes) {
      const int64_t count = std::min(kAtOnce, CeilDiv(cache_.head_dim - first, kLanes));
      Values masks;
      Values initial;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t left = cache_.head_dim - first - i * kLanes;
        masks.push_back(left < kLanes ? k_.LanesBelow(k_.I64(left)) : nullptr);
        initial.push_back(
            b_.CreateFMul(k_.Load(k_.Offset(mixed_, (first + i * kLanes) * 4)), fade));
      }
      const Values sums =
          k_.Loop(begin, end, 1, initial, [&](Value position, const Values& carried) {
            Value weight =
                k_.Splat(k_.LoadF32(k_.Element(scores_, b_.CreateSub(position, chunk), 4)));
            Value row = k_.Offset(k_.Element(values_, position, cache_.head_dim * 4), first * 4);
            Values next;
            for (int64_t i = 0; i < count; ++i) {
              next.push_back(
                  k_.Fma(weight, k_.Load(k_.Offset(row, i * kLanes * 4), masks[i]), carried[i]));
            }
            return next;
          });
      for (int64_t i = 0; i < count; ++i)
        k_.Store(sums[i], k_.Offset(mixed_, (first + i * kLanes) * 4));
    }
  }

  KernelBuilder& k_;
  llvm::IRBuilder<>& b_;
  Cache cache_;
  int64_t heads_;
  Value scores_, mixed_;
  Value query_ = nullptr, keys_ = nullptr, values_ = nullptr, low_ = nullptr, high_ = nullptr;
};

}  // namespace

void EmitKvAppend(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const Cache cache(k, 2);
  k.Loop(k.begin(), k.end(), 1, [&](Value unit) {
    Value token = b.CreateUDiv(unit, k.I64(cache.heads));
    Value head = b.CreateURem(unit, k.I64(cache.heads));
    Value position = b.CreateAdd(k.position(), token);
    Value key = k.Element(k.Row(0, token), head, cache.head_dim * 4);
    Value value = k.Element(k.Row(1, token), head, cache.head_dim * 4);
    Value panel = k.Element(cache.Keys(k, head), b.CreateUDiv(position, k.I64(kLanes)),
                            cache.head_dim * kLanes * 4);
    Value lane = k.Element(panel, b.CreateURem(position, k.I64(kLanes)), 4);
    k.Loop(k.I64(0), k.I64(cache.head_dim), 1, [&](Value d) {
      b.CreateStore(k.LoadF32(k.Element(key, d, 4)), k.Element(lane, d, kLanes * 4));
    });
    Value row = k.Element(cache.Values(k, head), position, cache.head_dim * 4);
    k.Columns(cache.head_dim, [&](Value column, Value mask) {
      k.Store(k.Load(k.Element(value, column, 4), mask), k.Element(row, column, 4), mask);
    });
  });
}

void EmitAttention(KernelBuilder& k) { AttentionEmitter(k).Emit(); }

}  // namespace weft::codegen
