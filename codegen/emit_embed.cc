// Copies of rows: from a table by index, and the last rows of a step.
#include "codegen/emitters.h"
#include "codegen/layout.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;

// Element (row, d) of a packed table as F32.
Value TableElement(KernelBuilder& k, const ir::Type& table, Value panel, Value lane, Value d) {
  llvm::IRBuilder<>& b = k.ir();
  if (table.dtype == DataType::kF32) {
    return k.LoadF32(k.Element(k.Element(panel, d, kPanelRows * 4), lane, 4));
  }
  Value block = k.Element(panel, b.CreateUDiv(d, k.I64(kBlock)), kPanelBlockBytes);
  Value scale =
      b.CreateFPExt(k.LoadScalar(b.getHalfTy(), k.Element(block, lane, 2)), b.getFloatTy());
  Value inside = b.CreateURem(d, k.I64(kBlock));
  Value group =
      k.Element(k.Offset(block, kScaleBytes), b.CreateUDiv(inside, k.I64(4)), kGroupBytes);
  Value byte = k.Offset(k.Element(group, lane, 4), b.CreateURem(inside, k.I64(4)));
  return b.CreateFMul(b.CreateSIToFP(k.LoadScalar(b.getInt8Ty(), byte), b.getFloatTy()), scale);
}

}  // namespace

void EmitEmbed(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const ir::Type& table = k.spec().operands[1].type;
  const int64_t width = table.last().value();
  const double scale = k.spec().node.Float(ir::Attr::kScale, 1.0);
  k.Loop(k.begin(), k.end(), 1, [&](Value token) {
    Value id = b.CreateSExt(k.LoadI32(k.Element(k.Operand(0), token, 4)), b.getInt64Ty());
    Value out = k.Row(2, token);
    if (table.layout == ir::Layout::kRows) {
      Value row = k.Element(k.Operand(1), id, width * 4);
      k.Columns(width, [&](Value column, Value mask) {
        Value value = k.Load(k.Element(row, column, 4), mask);
        k.Store(b.CreateFMul(value, k.SplatF32(scale)), k.Element(out, column, 4), mask);
      });
      return;
    }
    Value panel = k.Element(k.Operand(1), b.CreateUDiv(id, k.I64(kPanelRows)),
                            PanelBytes(table.dtype, width));
    Value lane = b.CreateURem(id, k.I64(kPanelRows));
    k.Loop(k.I64(0), k.I64(width), 1, [&](Value d) {
      Value value = TableElement(k, table, panel, lane, d);
      b.CreateStore(b.CreateFMul(value, k.F32(scale)), k.Element(out, d, 4));
    });
  });
}

void EmitSelectRows(KernelBuilder& k) {
  const int64_t width = k.spec().operands[0].type.last().value();
  Value skipped = k.ir().CreateSub(k.tokens(), k.logit_rows());
  k.Loop(k.begin(), k.end(), 1, [&](Value row) {
    Value from = k.Row(0, k.ir().CreateAdd(row, skipped));
    Value to = k.Row(1, row);
    k.Columns(width, [&](Value column, Value mask) {
      k.Store(k.Load(k.Element(from, column, 4), mask), k.Element(to, column, 4), mask);
    });
  });
}

}  // namespace weft::codegen
