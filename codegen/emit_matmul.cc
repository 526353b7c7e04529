// y = x · Wᵀ over panels of 16 rows: lanes are rows, one accumulator per output, products added in
// K order. So a row of the result does not depend on how many tokens are computed at once, nor on
// the vector width.
#include <string>
#include <vector>

#include "codegen/emitters.h"
#include "codegen/int8_dot.h"
#include "codegen/layout.h"
#include "codegen/math.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// A run of panels of one weight operand.
struct Part {
  int weight;            // operand
  int64_t first_unit;    // of the step
  int64_t first_column;  // of the result
  int64_t rows;
  int64_t k;
  bool quantized;
};

class MatmulEmitter {
 public:
  explicit MatmulEmitter(KernelBuilder& k)
      : k_(k), roles_(k.spec().Roles()), dot_(Int8Dot::For(k.target())) {}

  void Emit() {
    int64_t unit = 0;
    int64_t column = 0;
    for (int weight : roles_.weights) {
      const ir::Type& type = k_.spec().operands[weight].type;
      const Part part{weight,
                      unit,
                      column,
                      type.dims[0].value(),
                      type.dims[1].value(),
                      type.dtype == DataType::kQ8_0};
      EmitPart(part);
      unit += Panels(part.rows);
      column += part.rows;
    }
  }

 private:
  void EmitPart(const Part& part) {
    Value lo = k_.Max64(k_.begin(), k_.I64(part.first_unit));
    Value hi = k_.Min64(k_.end(), k_.I64(part.first_unit + Panels(part.rows)));
    Value tokens = k_.RowCount(k_.spec().result().type.dims[0]);
    // The F32 kernel keeps one sum per token too, so the same tile fits.
    const int tile = dot_->token_tile();
    const DataType format = part.quantized ? DataType::kQ8_0 : DataType::kF32;
    k_.Loop(lo, hi, 1, [&](Value unit) {
      Value panel = k_.ir().CreateSub(unit, k_.I64(part.first_unit));
      Value weights = k_.Element(k_.Operand(part.weight), panel, PanelBytes(format, part.k));
      Value row = k_.ir().CreateMul(panel, k_.I64(kPanelRows));
      Value column = k_.ir().CreateAdd(row, k_.I64(part.first_column));
      Value mask = part.rows % kPanelRows == 0
                       ? nullptr
                       : k_.LanesBelow(k_.ir().CreateSub(k_.I64(part.rows), row));
      // Whole tiles, then one token at a time.
      Value whole = k_.ir().CreateSub(tokens, k_.ir().CreateURem(tokens, k_.I64(tile)));
      k_.Loop(k_.I64(0), whole, tile,
              [&](Value token) { EmitTile(part, weights, column, mask, token, tile); });
      k_.Loop(whole, tokens, 1,
              [&](Value token) { EmitTile(part, weights, column, mask, token, 1); });
    });
  }

  void EmitTile(const Part& part, Value weights, Value column, Value mask, Value token, int count) {
    const Values sums = part.quantized ? QuantizedSums(part, weights, token, count)
                                       : FloatSums(part, weights, token, count);
    for (int i = 0; i < count; ++i) {
      Value row = k_.ir().CreateAdd(token, k_.I64(i));
      Epilogue(sums[i], row, column, mask);
    }
  }

  Values InputRows(int operand, Value token, int count) {
    Values rows;
    for (int i = 0; i < count; ++i)
      rows.push_back(k_.Row(operand, k_.ir().CreateAdd(token, k_.I64(i))));
    return rows;
  }

  Values FloatSums(const Part& part, Value weights, Value token, int count) {
    const Values rows = InputRows(roles_.f32_input, token, count);
    const auto step = [&](Value k, const Values& carried) {
      Value w = k_.Load(k_.Element(weights, k, kPanelRows * 4));
      Values next;
      for (int i = 0; i < count; ++i) {
        Value x = k_.Splat(k_.LoadF32(k_.Element(rows[i], k, 4)));
        next.push_back(k_.Fma(w, x, carried[i]));
      }
      return next;
    };
    return k_.Loop(k_.I64(0), k_.I64(part.k), 1, Values(count, k_.ZeroF32()), step);
  }

  Values QuantizedSums(const Part& part, Value weights, Value token, int count) {
    const Values rows = InputRows(roles_.quantized_input, token, count);
    auto* half_vector = llvm::FixedVectorType::get(k_.ir().getHalfTy(), kLanes);
    auto* group_vector = llvm::FixedVectorType::get(k_.ir().getInt8Ty(), kGroupBytes);
    return k_.Loop(
        k_.I64(0), k_.I64(Blocks(part.k)), 1, Values(count, k_.ZeroF32()),
        [&](Value block, const Values& carried) {
          llvm::IRBuilder<>& b = k_.ir();
          Value at = k_.Element(weights, block, kPanelBlockBytes);
          Value scales =
              b.CreateFPExt(b.CreateAlignedLoad(half_vector, at, llvm::Align(32)), k_.F32Vector());
          Values dots;
          for (int i = 0; i < count; ++i) {
            Value sums = k_.Offset(rows[i], ActivationSums(part.k));
            dots.push_back(dot_->Start(k_, k_.LoadI32(k_.Element(sums, block, 4))));
          }
          for (int64_t group = 0; group < kBlock / 4; ++group) {
            Value w = b.CreateAlignedLoad(
                group_vector, k_.Offset(at, kScaleBytes + group * kGroupBytes), llvm::Align(32));
            Value prepared = dot_->Prepare(k_, w);
            for (int i = 0; i < count; ++i) {
              Value x = k_.LoadI32(k_.Offset(k_.Element(rows[i], block, kBlock), group * 4));
              dots[i] = dot_->Accumulate(k_, dots[i], w, prepared, x);
            }
          }
          Values next;
          for (int i = 0; i < count; ++i) {
            Value scale =
                k_.LoadF32(k_.Element(k_.Offset(rows[i], ActivationScales(part.k)), block, 4));
            Value both = b.CreateFMul(scales, k_.Splat(scale));
            next.push_back(k_.Fma(b.CreateSIToFP(dots[i], k_.F32Vector()), both, carried[i]));
          }
          return next;
        });
  }

  void Epilogue(Value value, Value row, Value column, Value mask) {
    for (const std::string& step : k_.spec().node.Strings(ir::Attr::kEpilogue)) {
      if (step == "bias") {
        value = k_.ir().CreateFAdd(value,
                                   k_.Load(k_.Element(k_.Operand(roles_.bias), column, 4), mask));
      } else if (step == "residual") {
        Value other = k_.Load(k_.Element(k_.Row(roles_.residual, row), column, 4), mask);
        value = k_.ir().CreateFAdd(value, other);
      } else {
        value = EmitActivation(k_, step, value);
      }
    }
    k_.Store(value, k_.Element(k_.Row(k_.spec().result_index(), row), column, 4), mask);
  }

  KernelBuilder& k_;
  KernelSpec::MatmulRoles roles_;
  std::unique_ptr<Int8Dot> dot_;
};

}  // namespace

void EmitMatmul(KernelBuilder& k) { MatmulEmitter(k).Emit(); }

}  // namespace weft::codegen
