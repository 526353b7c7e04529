// F32 weights: one fma per row, token and k.
#include "codegen/layout.h"
#include "codegen/matmul_tile.h"

namespace weft::codegen {
namespace {

class Tile final : public MatmulTile {
 public:
  using MatmulTile::MatmulTile;

  Values Sums(const Values& weights, const Values& inputs, const Range& range,
              const Values& sums) override {
    const auto step = [&](Value k, const Values& carried) {
      Values rows;
      for (Value panel : weights) rows.push_back(k_.Load(k_.Element(panel, k, kPanelRows * 4)));
      Values next(carried.size());
      for (int token = 0; token < tokens(); ++token) {
        Value x = k_.Splat(k_.LoadF32(k_.Element(inputs[token], k, 4)));
        for (int panel = 0; panel < panels(); ++panel) {
          const int at = panel * tokens() + token;
          next[at] = k_.Fma(rows[panel], x, carried[at]);
        }
      }
      return next;
    };
    return k_.Loop(range.first, range.last, 1, sums, step);
  }
};

}  // namespace

std::unique_ptr<MatmulTile> FloatTile(KernelBuilder& k, const MatmulPart& part, int panels,
                                      int tokens) {
  return std::make_unique<Tile>(k, part, panels, tokens);
}

}  // namespace weft::codegen
