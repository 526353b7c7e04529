// Attention over the KV cache.
//
// Positions are taken in chunks of 64 that start at multiples of 64 whatever the step, and chunks
// merge in order, first within spans, then span by span (https://arxiv.org/abs/1805.02867): a
// result depends on the position and the cache alone, not on how the prompt was cut, which queries
// were worked on together or who worked on which span. In scores, lanes are keys, with one
// accumulator over head_dim; in mixtures, lanes are columns, with one accumulator over positions.
// Keys and values are read as stored, this step's included; masked positions add nothing.
//
// A unit is a block of tokens and some of the heads that share one cached head, so that each chunk
// of the cache is read once for all of them. Its queries meet a chunk in tiles: several tokens of a
// head, or, for the tokens that make no whole tile, several heads of a token.
//
// With slices, a step of few tokens cuts the spans among the units of a head, which leave their
// states for a second step to merge (emit_attention_merge.cc); in steps of more tokens, the first
// slice has all spans and merges them itself.
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "codegen/attention_partials.h"
#include "codegen/emitters.h"
#include "codegen/kv_cache.h"
#include "codegen/layout.h"
#include "codegen/math.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Queries whose accumulators are in registers together: 6 of 16 lanes fill 12 of the 16 registers
// of 8 lanes, beside a vector of keys and a query; 12 of 16 lanes fill 12 of 32. Twelve chains hide
// the latency of fused multiply-adds.
int TileQueries(const Target& target) { return target.wide() ? 12 : 6; }

// The queries of a tile are rows of the unit's scratch, `stride` apart.
struct Tile {
  int count = 1;
  Value first = nullptr;       // row
  int64_t stride = 1;          // rows
  Value query = nullptr;       // address of the first
  int64_t query_stride = 0;    // bytes
  Value token = nullptr;       // of the first, within the unit
  bool across_tokens = false;  // else across heads
};

class AttentionEmitter {
  // A state for each row of the unit.
  struct States {
    Value mixed, highest, sum;
    AttentionState At(AttentionEmitter& e, Value row) const {
      return {e.k_.Element(mixed, row, e.columns_ * 4), e.k_.Element(highest, row, 4),
              e.k_.Element(sum, row, 4)};
    }
  };

 public:
  explicit AttentionEmitter(KernelBuilder& k)
      : k_(k),
        b_(k.ir()),
        cache_(k, 1),
        most_(TileQueries(k.target())),
        block_(k.spec().node.Int(ir::Attr::kUnitRows, 1)),
        slices_(k.spec().node.Int(ir::Attr::kSlices, 1)),
        parts_(k.spec().node.Int(ir::Attr::kUnits) / slices_),
        group_(k.spec().node.Int(ir::Attr::kHeads) / cache_.heads()),
        heads_(k.spec().node.Int(ir::Attr::kHeads) / parts_),
        columns_(cache_.column_panels() * kLanes),
        result_(k.spec().result_index()),
        scores_(k.Scratch(block_ * heads_ * kChunk)),
        fade_(k.Scratch(block_ * heads_)),
        span_(ScratchStates()),
        total_(ScratchStates()) {
    WEFT_CHECK(parts_ % cache_.heads() == 0 && group_ % heads_ == 0);
    WEFT_CHECK(k.spec().node.Int(ir::Attr::kUnits) == parts_ * slices_);
    if (slices_ == 1) return;
    // A step whose spans are merged later is one block of tokens.
    WEFT_CHECK(block_ >= kSplitTokens);
    partials_.emplace(k, 2, k.spec().node.Int(ir::Attr::kHeads), cache_.head_dim());
  }

  void Emit() {
    k_.Loop(k_.begin(), k_.end(), 1, [&](Value unit) {
      Value slice = b_.CreateURem(unit, k_.I64(slices_));
      Value rest = b_.CreateUDiv(unit, k_.I64(slices_));
      EmitUnit(b_.CreateUDiv(rest, k_.I64(parts_)), b_.CreateURem(rest, k_.I64(parts_)), slice);
    });
  }

 private:
  void EmitUnit(Value block, Value part, Value slice) {
    Value first_token = b_.CreateMul(block, k_.I64(block_));
    tokens_ = k_.Min64(k_.I64(block_), b_.CreateSub(k_.tokens(), first_token));
    tiled_ = b_.CreateSub(tokens_, b_.CreateURem(tokens_, k_.I64(most_)));
    first_end_ = b_.CreateAdd(b_.CreateAdd(k_.position(), first_token), k_.I64(1));
    last_end_ = End(b_.CreateSub(tokens_, k_.I64(1)));
    Value head = b_.CreateMul(part, k_.I64(heads_));
    Value cached_head = b_.CreateUDiv(head, k_.I64(group_));
    keys_ = cache_.KeysOf(cached_head);
    values_ = cache_.ValuesOf(cached_head);
    queries_ = k_.Element(k_.Row(0, first_token), head, cache_.head_dim() * 4);

    // The spans that some token sees, and of these the unit's.
    Value first_span = b_.CreateUDiv(Begin(k_.I64(0)), k_.I64(kSpan));
    Value end_span = SpansBelow(k_, last_end_);
    Value begin = first_span;
    Value end = end_span;
    Value split = AttentionPartials::Split(k_);
    if (partials_) {
      Value count = b_.CreateSub(end_span, first_span);
      const auto bound = [&](Value of) {
        Value before = b_.CreateUDiv(b_.CreateMul(count, of), k_.I64(slices_));
        return b_.CreateAdd(first_span, before);
      };
      Value whole = b_.CreateSelect(b_.CreateICmpEQ(slice, k_.I64(0)), end_span, first_span);
      begin = b_.CreateSelect(split, bound(slice), first_span);
      end = b_.CreateSelect(split, bound(b_.CreateAdd(slice, k_.I64(1))), whole);
    }
    k_.If(b_.CreateICmpSLT(begin, end), [&] {
      Rows([&](Value row, Value, Value) { EmitEmptyState(k_, total_.At(*this, row), columns_); });
      k_.Loop(begin, end, 1, [&](Value span) {
        EmitSpan(span);
        if (!partials_) return MergeSpan();
        Value place = b_.CreateSub(span, first_span);
        k_.If(split, [&] { LeaveSpan(place, head); });
        k_.If(b_.CreateNot(split), [&] { MergeSpan(); });
      });
      const auto finish = [&] {
        Value results = k_.Element(k_.Row(result_, first_token), head, cache_.head_dim() * 4);
        Rows([&](Value row, Value token, Value unit_head) {
          EmitAttentionResult(k_, total_.At(*this, row), RowOf(results, result_, token, unit_head),
                              cache_.head_dim());
        });
      };
      if (partials_) {
        k_.If(b_.CreateNot(split), finish);
      } else {
        finish();
      }
    });
  }

  void EmitSpan(Value span) {
    Rows([&](Value row, Value, Value) { EmitEmptyState(k_, span_.At(*this, row), columns_); });
    Value from = b_.CreateMul(span, k_.I64(kSpan));
    Value to = k_.Min64(b_.CreateAdd(from, k_.I64(kSpan)), last_end_);
    Value first = k_.Max64(from, b_.CreateAnd(Begin(k_.I64(0)), k_.I64(-kChunk)));
    k_.Loop(first, to, kChunk, [&](Value chunk) { EmitChunk(chunk); });
  }

  void MergeSpan() {
    Rows([&](Value row, Value, Value) {
      EmitMergeState(k_, total_.At(*this, row), span_.At(*this, row), columns_);
    });
  }

  void LeaveSpan(Value place, Value first_head) {
    Rows([&](Value row, Value token, Value unit_head) {
      const AttentionState left = partials_->At(token, place, b_.CreateAdd(first_head, unit_head));
      EmitEmptyState(k_, left, columns_);
      EmitMergeState(k_, left, span_.At(*this, row), columns_);
    });
  }

  void EmitChunk(Value chunk) {
    TokenTiles([&](const Tile& tile, const auto& tiles) { Scores(chunk, tile, tiles); });
    HeadTiles([&](const Tile& tile, const auto& tiles) { Scores(chunk, tile, tiles); });
    Value chunk_end = b_.CreateAdd(chunk, k_.I64(kChunk));
    Value cut = b_.CreateOr(b_.CreateICmpSLT(first_end_, chunk_end),
                            b_.CreateICmpSGT(Begin(b_.CreateSub(tokens_, k_.I64(1))), chunk));
    k_.If(cut, [&] { Rows([&](Value row, Value token, Value) { Mask(chunk, row, token); }); });
    Rows([&](Value row, Value, Value) { Weigh(row); });
    TokenTiles([&](const Tile& tile, const auto& tiles) { MixValues(chunk, tile, tiles); });
    HeadTiles([&](const Tile& tile, const auto& tiles) { MixValues(chunk, tile, tiles); });
  }

  // Loops over the tiles of one shape, which the first argument shows; for use inside other loops.
  using EachTile = std::function<void(const std::function<void(const Tile&)>&)>;

  // Tiles of most_ tokens of a head.
  void TokenTiles(const std::function<void(const Tile&, const EachTile&)>& use) {
    if (block_ < most_) return;
    Tile shape{.count = most_, .query_stride = Stride(0), .across_tokens = true};
    use(shape, [&](const std::function<void(const Tile&)>& body) {
      k_.Loop(k_.I64(0), k_.I64(heads_), 1, [&](Value head) {
        k_.Loop(k_.I64(0), tiled_, most_, [&](Value token) {
          Tile tile = shape;
          Place(token, head, &tile);
          body(tile);
        });
      });
    });
  }

  // Tiles of heads of the tokens after the last whole tile.
  void HeadTiles(const std::function<void(const Tile&, const EachTile&)>& use) {
    const int64_t tiles = CeilDiv(heads_, most_);
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t begin = heads_ * i / tiles;
      const int64_t end = heads_ * (i + 1) / tiles;
      Tile shape{.count = static_cast<int>(end - begin),
                 .stride = block_,
                 .query_stride = cache_.head_dim() * 4};
      use(shape, [&](const std::function<void(const Tile&)>& body) {
        k_.Loop(tiled_, tokens_, 1, [&](Value token) {
          Tile tile = shape;
          Place(token, k_.I64(begin), &tile);
          body(tile);
        });
      });
    }
  }

  void Place(Value token, Value head, Tile* tile) {
    tile->first = Row(token, head);
    tile->query = RowOf(queries_, 0, token, head);
    tile->token = token;
  }

  // Vectors that each query of a tile takes at once, so that there are enough accumulators; half as
  // many where registers hold 8 lanes and these would not fit: 3 queries by 2 vectors, or a single
  // query by 4 with scales to keep. Without scales it needs each vector once, so it keeps none.
  int64_t AtOnce(const Tile& tile) const {
    int64_t count = 1;
    while (count < kChunkPanels && 2 * count * tile.count <= most_) count *= 2;
    const bool scales = k_.spec().operands[1].type.dtype == DataType::kQ8_0;
    const bool narrow = k_.target().tier == Tier::kAvx2;
    if (narrow && (tile.count == 3 || (tile.count == 1 && scales))) count /= 2;
    return count;
  }

  void Scores(Value chunk, const Tile& shape, const EachTile& tiles) {
    const int64_t at_once = AtOnce(shape);
    // Panels that hold a position which some query sees.
    Value begin = k_.Max64(Begin(k_.I64(0)), chunk);
    Value end = k_.Min64(last_end_, b_.CreateAdd(chunk, k_.I64(kChunk)));
    Value first = b_.CreateAnd(begin, k_.I64(-kLanes * at_once));
    k_.Loop(first, end, kLanes * at_once, [&](Value position) {
      Value panel = b_.CreateUDiv(position, k_.I64(kLanes));
      Values panels;
      for (int64_t i = 0; i < at_once; ++i)
        panels.push_back(cache_.KeyPanel(keys_, b_.CreateAdd(panel, k_.I64(i))));
      tiles([&](const Tile& tile) {
        Value seen_end = End(Last(tile));
        Value seen_begin = Begin(tile.token);
        Value seen = b_.CreateAnd(
            b_.CreateICmpSLT(position, seen_end),
            b_.CreateICmpSGT(b_.CreateAdd(position, k_.I64(kLanes * at_once)), seen_begin));
        k_.If(seen, [&] { ScoreTile(tile, panels, b_.CreateSub(position, chunk)); });
      });
    });
  }

  void ScoreTile(const Tile& tile, const Values& panels, Value position) {
    const Values initial(tile.count * panels.size(), k_.ZeroF32());
    const Values dots = cache_.OverKeys(
        panels, ReadingOf(tile), initial, [&](Value d, const Values& keys, const Values& carried) {
          Value at = k_.Element(tile.query, d, 4);
          Values next;
          for (int i = 0; i < tile.count; ++i) {
            Value q = k_.Splat(k_.LoadF32(k_.Offset(at, i * tile.query_stride)));
            for (Value key : keys) next.push_back(k_.Fma(key, q, carried[next.size()]));
          }
          return next;
        });
    Value first = k_.Element(ScoresOf(tile.first), position, 4);
    for (size_t n = 0; n < dots.size(); ++n) {
      Value score = b_.CreateFMul(dots[n], k_.SplatF32(k_.spec().node.Float(ir::Attr::kScale)));
      if (k_.spec().node.Has(ir::Attr::kSoftcap))
        score = EmitSoftcap(k_, k_.spec().node.Float(ir::Attr::kSoftcap), score);
      const auto row = static_cast<int64_t>(n / panels.size()) * tile.stride;
      const auto panel = static_cast<int64_t>(n % panels.size());
      k_.Store(score, k_.Offset(first, (row * kChunk + panel * kLanes) * 4));
    }
  }

  // Scores of positions that the token does not see, and those that were not computed because of
  // it, become -∞.
  void Mask(Value chunk, Value row, Value token) {
    const auto splat = [&](Value i64) { return k_.Splat(b_.CreateTrunc(i64, b_.getInt32Ty())); };
    Value begin = splat(b_.CreateSub(Begin(token), chunk));
    Value end = splat(b_.CreateSub(End(token), chunk));
    for (int64_t i = 0; i < kChunk; i += kLanes) {
      Value position = b_.CreateAdd(k_.Iota(), k_.SplatI32(static_cast<int32_t>(i)));
      Value seen = b_.CreateAnd(b_.CreateICmpSGE(position, begin), b_.CreateICmpSLT(position, end));
      Value at = k_.Offset(ScoresOf(row), i * 4);
      k_.Store(b_.CreateSelect(seen, k_.Load(at), k_.SplatF32(kMinusInfinity)), at);
    }
  }

  // Scores become weights relative to the highest so far; what was summed before fades.
  void Weigh(Value row) {
    Values scores;
    Value top = nullptr;
    for (int64_t i = 0; i < kChunk; i += kLanes) {
      scores.push_back(k_.Load(k_.Offset(ScoresOf(row), i * 4)));
      top = top == nullptr
                ? scores.back()
                : b_.CreateSelect(b_.CreateFCmpOGT(scores.back(), top), scores.back(), top);
    }
    Value chunk_top = k_.ReduceMax(top);
    const AttentionState state = span_.At(*this, row);
    Value highest = k_.LoadF32(state.highest);
    Value new_highest = b_.CreateSelect(b_.CreateFCmpOGT(chunk_top, highest), chunk_top, highest);
    Value total = k_.ZeroF32();
    for (size_t i = 0; i < scores.size(); ++i) {
      Value weight = EmitExp(k_, b_.CreateFSub(scores[i], k_.Splat(new_highest)));
      k_.Store(weight, k_.Offset(ScoresOf(row), static_cast<int64_t>(i) * kLanes * 4));
      total = b_.CreateFAdd(total, weight);
    }
    Value fade = b_.CreateExtractElement(EmitExp(k_, k_.Splat(b_.CreateFSub(highest, new_highest))),
                                         uint64_t{0});
    b_.CreateStore(new_highest, state.highest);
    b_.CreateStore(fade, k_.Element(fade_, row, 4));
    b_.CreateStore(k_.Fma(k_.LoadF32(state.sum), fade, k_.ReduceAdd(total)), state.sum);
  }

  void MixValues(Value chunk, const Tile& shape, const EachTile& tiles) {
    const int64_t at_once = std::min(AtOnce(shape), cache_.column_panels());
    const int64_t whole = cache_.column_panels() / at_once * at_once;
    const auto mix = [&](Value first_panel, int64_t count) {
      std::vector<KvCache::ValuePanel> panels;
      for (int64_t i = 0; i < count; ++i) {
        Value panel = b_.CreateAdd(first_panel, k_.I64(i));
        panels.push_back(cache_.PanelOfValues(values_, chunk, panel));
      }
      Value column = b_.CreateMul(first_panel, k_.I64(kLanes));
      tiles([&](const Tile& tile) { MixTile(chunk, tile, panels, column); });
    };
    k_.Loop(k_.I64(0), k_.I64(whole), at_once, [&](Value panel) { mix(panel, at_once); });
    if (whole < cache_.column_panels()) mix(k_.I64(whole), cache_.column_panels() - whole);
  }

  // mixed = mixed · fade + Σ weight · value over the positions of the chunk that each query sees.
  void MixTile(Value chunk, const Tile& tile, const std::vector<KvCache::ValuePanel>& panels,
               Value column) {
    Value weights = ScoresOf(tile.first);
    Value mixed = k_.Element(span_.At(*this, tile.first).mixed, column, 4);
    const auto at = [&](size_t n) {
      const auto row = static_cast<int64_t>(n / panels.size()) * tile.stride;
      return k_.Offset(mixed,
                       (row * columns_ + static_cast<int64_t>(n % panels.size()) * kLanes) * 4);
    };
    Values sums;
    for (size_t n = 0; n < tile.count * panels.size(); ++n) {
      const auto row = static_cast<int64_t>(n / panels.size()) * tile.stride;
      Value fade = k_.LoadF32(k_.Offset(k_.Element(fade_, tile.first, 4), row * 4));
      sums.push_back(b_.CreateFMul(k_.Load(at(n)), k_.Splat(fade)));
    }
    const auto add = [&](Value begin, Value end, const Values* firsts, const Values* ends) {
      sums = cache_.OverValues(
          panels, ReadingOf(tile), begin, end, sums,
          [&](Value position, const Values& values, const Values& carried) {
            Values next;
            for (int i = 0; i < tile.count; ++i) {
              Value row = k_.Offset(weights, i * tile.stride * kChunk * 4);
              Value weight = k_.Splat(k_.LoadF32(k_.Element(row, position, 4)));
              Value seen = firsts == nullptr
                               ? nullptr
                               : b_.CreateAnd(b_.CreateICmpSGE(position, (*firsts)[i]),
                                              b_.CreateICmpSLT(position, (*ends)[i]));
              for (Value value : values) {
                Value old = carried[next.size()];
                Value sum = k_.Fma(weight, value, old);
                next.push_back(seen == nullptr ? sum : b_.CreateSelect(seen, sum, old));
              }
            }
            return next;
          });
    };
    // Within the chunk.
    Values firsts;
    Values ends;
    for (int i = 0; i < (tile.across_tokens ? tile.count : 1); ++i) {
      Value token = b_.CreateAdd(tile.token, k_.I64(i));
      firsts.push_back(k_.Max64(b_.CreateSub(Begin(token), chunk), k_.I64(0)));
      ends.push_back(k_.Min64(b_.CreateSub(End(token), chunk), k_.I64(kChunk)));
    }
    if (!tile.across_tokens) {
      add(firsts[0], ends[0], nullptr, nullptr);
    } else {
      // What some tokens see, what all see, what some see: both bounds grow with the token.
      if (HasWindow()) add(firsts[0], k_.Min64(firsts.back(), ends.back()), &firsts, &ends);
      add(firsts.back(), ends[0], nullptr, nullptr);
      add(k_.Max64(firsts.back(), ends[0]), ends.back(), &firsts, &ends);
    }
    for (size_t n = 0; n < sums.size(); ++n) k_.Store(sums[n], at(n));
  }

  States ScratchStates() {
    return {k_.Scratch(block_ * heads_ * columns_), k_.Scratch(block_ * heads_),
            k_.Scratch(block_ * heads_)};
  }

  bool HasWindow() const { return k_.spec().node.Has(ir::Attr::kWindow); }
  // Tiles of several tokens follow each other over the same part of the cache.
  static KvCache::Reading ReadingOf(const Tile& tile) {
    return tile.across_tokens ? KvCache::Reading::kOften : KvCache::Reading::kOnce;
  }
  int64_t Stride(int operand) const { return k_.spec().operands[operand].stride; }
  Value Last(const Tile& tile) {
    return tile.across_tokens ? b_.CreateAdd(tile.token, k_.I64(tile.count - 1)) : tile.token;
  }
  // The positions [Begin, End) that a token of the unit sees.
  Value End(Value token) { return b_.CreateAdd(first_end_, token); }
  Value Begin(Value token) {
    if (!HasWindow()) return k_.I64(0);
    return k_.Max64(k_.I64(0),
                    b_.CreateSub(End(token), k_.I64(k_.spec().node.Int(ir::Attr::kWindow))));
  }

  // Rows of the scratch: the unit's heads, of each the tokens.
  Value Row(Value token, Value head) {
    return b_.CreateAdd(b_.CreateMul(head, k_.I64(block_)), token);
  }
  void Rows(const std::function<void(Value row, Value token, Value head)>& body) {
    k_.Loop(k_.I64(0), k_.I64(heads_), 1, [&](Value head) {
      k_.Loop(k_.I64(0), tokens_, 1, [&](Value token) { body(Row(token, head), token, head); });
    });
  }
  Value ScoresOf(Value row) { return k_.Element(scores_, row, kChunk * 4); }
  Value RowOf(Value first, int operand, Value token, Value head) {
    return k_.Element(k_.Element(first, token, Stride(operand)), head, cache_.head_dim() * 4);
  }

  KernelBuilder& k_;
  llvm::IRBuilder<>& b_;
  KvCache cache_;
  const int most_;         // queries of a tile
  const int64_t block_;    // tokens of a unit, at most
  const int64_t slices_;   // units that share a head's context
  const int64_t parts_;    // of the heads
  const int64_t group_;    // heads that share a cached head
  const int64_t heads_;    // of them in a unit
  const int64_t columns_;  // of a head, rounded up to whole vectors
  const int result_;       // operand
  // Scratch, by rows.
  Value scores_, fade_;
  States span_, total_;  // over the present span, and over those before it
  std::optional<AttentionPartials> partials_;
  // Of the unit.
  Value tokens_ = nullptr, tiled_ = nullptr, first_end_ = nullptr, last_end_ = nullptr;
  Value keys_ = nullptr, values_ = nullptr, queries_ = nullptr;
};

}  // namespace

void EmitAttention(KernelBuilder& k) { AttentionEmitter(k).Emit(); }

}  // namespace weft::codegen
