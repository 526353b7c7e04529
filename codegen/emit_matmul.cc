// y = x · Wᵀ over panels of 16 rows: lanes are rows. Few tokens stream the panels one by one; many
// tokens go block by block, so that panels and activations come from caches.
#include <memory>
#include <vector>

#include "codegen/emitters.h"
#include "codegen/layout.h"
#include "codegen/matmul_epilogue.h"
#include "codegen/matmul_tile.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

class MatmulEmitter {
 public:
  explicit MatmulEmitter(KernelBuilder& k) : k_(k), b_(k.ir()), epilogue_(k) {}

  void Emit() {
    const KernelSpec::MatmulRoles roles = k_.spec().Roles();
    tokens_ = k_.RowCount(k_.spec().result().type.dims[0]);
    int64_t unit = 0;
    int64_t column = 0;
    for (int weight : roles.weights) {
      const ir::Type& type = k_.spec().operands[weight].type;
      const bool quantized = type.dtype == DataType::kQ8_0;
      EmitPart({weight, quantized ? roles.quantized_input : roles.f32_input, unit, column,
                type.dims[0].value(), type.dims[1].value(), quantized});
      unit += CeilDiv(Panels(type.dims[0].value()), epilogue_.unit_panels());
      column += type.dims[0].value();
    }
  }

 private:
  void EmitPart(const MatmulPart& part) {
    const int64_t units = CeilDiv(Panels(part.rows), epilogue_.unit_panels());
    Value before = k_.I64(part.first_unit);
    Value lo = k_.Max64(b_.CreateSub(k_.begin(), before), k_.I64(0));
    Value hi = k_.Min64(b_.CreateSub(k_.end(), before), k_.I64(units));
    int64_t fewer = 0;
    for (const TileChoice& choice : TileChoices(k_.target(), part.quantized)) {
      Value more = b_.CreateICmpSGT(tokens_, k_.I64(fewer));
      if (!choice.streams) {
        k_.If(more, [&] { EmitBlocks(part, choice, lo, hi); });
        continue;
      }
      Value fits = b_.CreateAnd(more, b_.CreateICmpSLE(tokens_, k_.I64(choice.most_tokens)));
      k_.If(fits, [&] { EmitStream(part, choice, lo, hi); });
      fewer = choice.most_tokens;
    }
  }

  Value Panel(const MatmulPart& part, Value panel) {
    const DataType format = part.quantized ? DataType::kQ8_0 : DataType::kF32;
    return k_.Element(k_.Operand(part.weight), panel, PanelBytes(format, part.k));
  }

  // The activations of a tile. The last tile takes the last token for each place that is left.
  Values Inputs(const MatmulPart& part, const MatmulTile& tile, Value token) {
    Values inputs;
    for (int i = 0; i < tile.tokens(); ++i) {
      Value row = b_.CreateAdd(token, k_.I64(i));
      if (i > 0) row = k_.Min64(row, b_.CreateSub(tokens_, k_.I64(1)));
      inputs.push_back(k_.Row(part.input, row));
    }
    return inputs;
  }

  // Sums in memory stand as [panel][token of the tile][16 rows].
  static int64_t SumsOfPanel(const MatmulTile& tile) { return tile.tokens() * kLanes * 4; }

  // Panel by panel, so that each stays in the L1 cache for all tokens.
  void EmitStream(const MatmulPart& part, const TileChoice& choice, Value lo, Value hi) {
    const std::unique_ptr<MatmulTile> made = MakeTile(k_, part, choice);
    MatmulTile& tile = *made;
    const int64_t panels = epilogue_.unit_panels();
    const int64_t tile_bytes = panels * SumsOfPanel(tile);
    const MatmulTile::Range all = {k_.I64(0), k_.I64(part.k), part.k};
    const Values zeros(tile.tokens(), k_.ZeroF32());
    Value sums = k_.Scratch(CeilDiv(choice.most_tokens, tile.tokens()) * tile_bytes / 4, &sums_);
    const auto sums_of = [&](Value token) {
      return k_.Element(sums, b_.CreateUDiv(token, k_.I64(tile.tokens())), tile_bytes);
    };
    k_.Loop(lo, hi, 1, [&](Value unit) {
      k_.Loop(k_.I64(0), k_.I64(panels), 1, [&](Value i) {
        Value panel = Panel(part, b_.CreateAdd(b_.CreateMul(unit, k_.I64(panels)), i));
        ForTiles(tile, k_.I64(0), tokens_, [&](Value token) {
          Store(tile.Sums({panel}, Inputs(part, tile, token), all, zeros),
                k_.Element(sums_of(token), i, SumsOfPanel(tile)));
        });
      });
      ForTiles(tile, k_.I64(0), tokens_,
               [&](Value token) { Finish(part, tile, sums_of(token), token, unit); });
    });
  }

  // What the cut for caches needs beside its numbers.
  struct Blocking : BlockCut {
    int64_t panel_bytes, token_bytes;                          // prepared
    Value panels = nullptr, inputs = nullptr, sums = nullptr;  // memory
    Value first = nullptr, end = nullptr;                      // panels of the group
  };

  Blocking BlockingFor(const MatmulPart& part, const TileChoice& choice, const MatmulTile& tile) {
    Blocking cut{CutForCaches(choice, part.rows, part.k, part.quantized, epilogue_.unit_panels())};
    cut.panel_bytes = PreparedPanelBytes(choice.kind, cut.most_k);
    cut.token_bytes = tile.prepared_token_bytes(cut.most_k);
    if (cut.panel_bytes > 0)
      cut.panels = k_.Scratch(cut.group_panels * cut.panel_bytes / 4, &panels_);
    if (cut.token_bytes > 0) cut.inputs = k_.Scratch(tile.tokens() * cut.token_bytes / 4, &inputs_);
    const int64_t panels = cut.most_k == part.k ? cut.step_panels : cut.group_panels;
    cut.sums = k_.Scratch(cut.waiting_tiles * panels * SumsOfPanel(tile) / 4, &sums_);
    return cut;
  }

  void EmitBlocks(const MatmulPart& part, const TileChoice& choice, Value lo, Value hi) {
    const std::unique_ptr<MatmulTile> made = MakeTile(k_, part, choice);
    MatmulTile& tile = *made;
    Blocking cut = BlockingFor(part, choice, tile);
    Value panels = k_.I64(epilogue_.unit_panels());
    Value hi_panel = b_.CreateMul(hi, panels);
    tile.Begin();
    k_.Loop(b_.CreateMul(lo, panels), hi_panel, cut.group_panels, [&](Value first) {
      cut.first = first;
      cut.end = k_.Min64(b_.CreateAdd(first, k_.I64(cut.group_panels)), hi_panel);
      if (cut.most_k == part.k) {
        const MatmulTile::Range all = {k_.I64(0), k_.I64(part.k), part.k};
        PrepareWeights(part, tile, cut, all);
        ForTiles(tile, k_.I64(0), tokens_, [&](Value token) {
          const Values inputs = PreparedInputs(part, tile, cut, all, token);
          ForSteps(cut, [&](Value panel) {
            EmitStep(part, tile, cut, all, inputs, panel, cut.sums, /*from_zero=*/true);
            FinishStep(part, tile, cut, cut.sums, token, panel);
          });
        });
      } else {
        ForTiles(tile, k_.I64(0), tokens_, cut.waiting_tiles,
                 [&](Value token) { EmitRanges(part, tile, cut, token); });
      }
    });
    tile.End();
  }

  // Some tokens whose sums wait in memory from one range of K to the next.
  void EmitRanges(const MatmulPart& part, MatmulTile& tile, const Blocking& cut, Value begin) {
    Value end = k_.Min64(b_.CreateAdd(begin, k_.I64(cut.waiting_tiles * tile.tokens())), tokens_);
    const int64_t tile_bytes = cut.group_panels * SumsOfPanel(tile);
    const auto sums = [&](Value token, Value panel) {
      Value index = b_.CreateUDiv(b_.CreateSub(token, begin), k_.I64(tile.tokens()));
      return k_.Element(k_.Element(cut.sums, index, tile_bytes), b_.CreateSub(panel, cut.first),
                        SumsOfPanel(tile));
    };
    k_.Loop(k_.I64(0), k_.I64(cut.waiting_tiles * tile_bytes), kLanes * 4,
            [&](Value at) { k_.Store(k_.ZeroF32(), k_.Offset(cut.sums, at)); });
    k_.Loop(k_.I64(0), k_.I64(part.k), cut.most_k, [&](Value k) {
      const MatmulTile::Range range = {
          k, k_.Min64(b_.CreateAdd(k, k_.I64(cut.most_k)), k_.I64(part.k)), cut.most_k};
      PrepareWeights(part, tile, cut, range);
      ForTiles(tile, begin, end, [&](Value token) {
        const Values inputs = PreparedInputs(part, tile, cut, range, token);
        ForSteps(cut, [&](Value panel) {
          EmitStep(part, tile, cut, range, inputs, panel, sums(token, panel), /*from_zero=*/false);
        });
      });
    });
    ForTiles(tile, begin, end, [&](Value token) {
      ForSteps(cut,
               [&](Value panel) { FinishStep(part, tile, cut, sums(token, panel), token, panel); });
    });
  }

  void ForTiles(const MatmulTile& tile, Value begin, Value end, int64_t tiles,
                const std::function<void(Value token)>& body) {
    k_.Loop(begin, end, tiles * tile.tokens(), body);
  }
  void ForTiles(const MatmulTile& tile, Value begin, Value end,
                const std::function<void(Value token)>& body) {
    ForTiles(tile, begin, end, 1, body);
  }
  void ForSteps(const Blocking& cut, const std::function<void(Value panel)>& body) {
    k_.Loop(cut.first, cut.end, cut.step_panels, body);
  }

  Value PreparedPanel(const Blocking& cut, Value panel) {
    return k_.Element(cut.panels, b_.CreateSub(panel, cut.first), cut.panel_bytes);
  }

  void PrepareWeights(const MatmulPart& part, MatmulTile& tile, const Blocking& cut,
                      const MatmulTile::Range& range) {
    if (cut.panels == nullptr) return;
    k_.Loop(cut.first, cut.end, 1, [&](Value panel) {
      tile.PrepareWeights(Panel(part, panel), PreparedPanel(cut, panel), range);
    });
  }

  Values PreparedInputs(const MatmulPart& part, MatmulTile& tile, const Blocking& cut,
                        const MatmulTile::Range& range, Value token) {
    Values inputs = Inputs(part, tile, token);
    for (int i = 0; cut.inputs != nullptr && i < tile.tokens(); ++i) {
      Value place = k_.Offset(cut.inputs, i * cut.token_bytes);
      tile.PrepareToken(inputs[i], place, range);
      inputs[i] = place;
    }
    return inputs;
  }

  void EmitStep(const MatmulPart& part, MatmulTile& tile, const Blocking& cut,
                const MatmulTile::Range& range, const Values& inputs, Value panel, Value sums,
                bool from_zero) {
    k_.Loop(k_.I64(0), k_.I64(cut.step_panels), tile.panels(), [&](Value offset) {
      Values weights;
      for (int i = 0; i < tile.panels(); ++i) {
        // The last step takes the last panel for each place that is left.
        Value at = k_.Min64(b_.CreateAdd(b_.CreateAdd(panel, offset), k_.I64(i)),
                            b_.CreateSub(cut.end, k_.I64(1)));
        weights.push_back(cut.panels == nullptr ? Panel(part, at) : PreparedPanel(cut, at));
      }
      Value place = k_.Element(sums, offset, SumsOfPanel(tile));
      Values before;
      for (int64_t i = 0; i < tile.panels() * tile.tokens(); ++i)
        before.push_back(from_zero ? k_.ZeroF32() : k_.Load(k_.Offset(place, i * kLanes * 4)));
      Store(tile.Sums(weights, inputs, range, before), place);
    });
  }

  void Store(const Values& sums, Value place) {
    for (size_t i = 0; i < sums.size(); ++i)
      k_.Store(sums[i], k_.Offset(place, static_cast<int64_t>(i) * kLanes * 4));
  }

  void FinishStep(const MatmulPart& part, const MatmulTile& tile, const Blocking& cut, Value sums,
                  Value token, Value panel) {
    const int64_t unit_panels = epilogue_.unit_panels();
    Value unit = b_.CreateUDiv(panel, k_.I64(unit_panels));
    Value left = b_.CreateUDiv(b_.CreateSub(cut.end, panel), k_.I64(unit_panels));
    k_.Loop(k_.I64(0), k_.Min64(left, k_.I64(cut.step_panels / unit_panels)), 1, [&](Value i) {
      Finish(part, tile, k_.Element(sums, i, unit_panels * SumsOfPanel(tile)), token,
             b_.CreateAdd(unit, i));
    });
  }

  // The epilogue of a unit over the tokens of a tile. Sums come from memory, so that its code is
  // there once, not once per register.
  void Finish(const MatmulPart& part, const MatmulTile& tile, Value sums, Value token, Value unit) {
    Value count = k_.Min64(k_.I64(tile.tokens()), b_.CreateSub(tokens_, token));
    k_.Loop(k_.I64(0), count, 1, [&](Value i) {
      Values values;
      for (int64_t panel = 0; panel < epilogue_.unit_panels(); ++panel) {
        Value place = k_.Offset(sums, panel * SumsOfPanel(tile));
        values.push_back(k_.Load(k_.Element(place, i, kLanes * 4)));
      }
      epilogue_.Apply(part, values, b_.CreateAdd(token, i), unit);
    });
  }

  KernelBuilder& k_;
  llvm::IRBuilder<>& b_;
  MatmulEpilogue epilogue_;
  Value tokens_ = nullptr;
  // Of one part and tile after the other.
  KernelBuilder::SharedScratch panels_, inputs_, sums_;
};

}  // namespace

void EmitMatmul(KernelBuilder& k) { MatmulEmitter(k).Emit(); }

}  // namespace weft::codegen
