#include "codegen/roof_reader.h"

#include "absl/strings/str_cat.h"
#include "codegen/kernel_builder.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// The range is cut into `streams` parts of equal length that are read side by side, `bytes` of each
// in turn. Parts are whole iterations; where that makes them too long together, the last ones
// overlap.
void EmitReader(KernelBuilder& k, int64_t bytes, int64_t streams) {
  llvm::IRBuilder<>& b = k.ir();
  const int64_t width = std::min<int64_t>(bytes, 64);
  auto* vector = llvm::FixedVectorType::get(b.getInt64Ty(), static_cast<unsigned>(width / 8));
  const int64_t loads = bytes / width;
  Value base = k.Element(k.Operand(0), k.begin(), kReaderUnit);
  Value total = b.CreateMul(b.CreateSub(k.end(), k.begin()), k.I64(kReaderUnit));
  Value turns =
      b.CreateUDiv(b.CreateAdd(total, k.I64(streams * bytes - 1)), k.I64(streams * bytes));
  Value length = b.CreateMul(turns, k.I64(bytes));
  const Values initial(static_cast<size_t>(streams * loads), llvm::Constant::getNullValue(vector));
  const Values sums =
      k.Loop(k.I64(0), length, bytes, initial, [&](Value at, const Values& carried) {
        Values next;
        for (int64_t stream = 0; stream < streams; ++stream) {
          Value part = k.Min64(b.CreateMul(length, k.I64(stream)), b.CreateSub(total, length));
          Value from = k.Offset(k.Offset(base, part), at);
          for (int64_t load = 0; load < loads; ++load) {
            Value value =
                b.CreateAlignedLoad(vector, k.Offset(from, load * width), llvm::Align(32));
            next.push_back(b.CreateOr(carried[next.size()], value));
          }
        }
        return next;
      });
  Value all = sums[0];
  for (size_t i = 1; i < sums.size(); ++i) all = b.CreateOr(all, sums[i]);
  b.CreateAlignedStore(all, k.Operand(1), llvm::Align(32));
}

}  // namespace

std::vector<NamedEmission> RoofReaders() {
  std::vector<NamedEmission> readers;
  // Operands are bare memory; their types play no part.
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(2);
  for (int64_t bytes : {32, 64, 256}) {
    for (int64_t streams = 1; streams <= 4; ++streams) {
      readers.push_back({absl::StrCat("read_", bytes, "x", streams), spec,
                         [bytes, streams](KernelBuilder& k) { EmitReader(k, bytes, streams); }});
    }
  }
  return readers;
}

}  // namespace weft::codegen
