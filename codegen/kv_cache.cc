#include "codegen/kv_cache.h"

#include "codegen/layout.h"
#include "llvm/IR/Intrinsics.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// Keys and values of many positions lie one after another, but hardware reads ahead within 4 KiB
// alone. Of 512, 1024, 2048 and 4096 bytes, this was fastest: attention over 4000 positions of
// Gemma 270M took 0.75 of its time, on two cores of a Zen 4.
constexpr int64_t kPrefetchBytes = 2048;

KvCache::KvCache(KernelBuilder& k, int operand)
    : k_(k),
      format_(k.spec().operands[operand].type.dtype),
      context_(k.spec().context),
      heads_(k.spec().operands[operand].type.dims[2].value()),
      head_dim_(k.spec().operands[operand].type.dims[3].value()),
      base_(k.Operand(operand)) {}

int64_t KvCache::column_panels() const { return Panels(head_dim_); }

llvm::Type* KvCache::Half16() { return llvm::FixedVectorType::get(k_.ir().getHalfTy(), kLanes); }
llvm::Type* KvCache::Byte16() { return llvm::FixedVectorType::get(k_.ir().getInt8Ty(), kLanes); }

Value KvCache::KeysOf(Value head) {
  return k_.Element(base_, head, KeyHeadBytes(format_, context_, head_dim_));
}

Value KvCache::ValuesOf(Value head) {
  return k_.Element(k_.Offset(base_, heads_ * KeyHeadBytes(format_, context_, head_dim_)), head,
                    ValueHeadBytes(format_, context_, head_dim_));
}

Value KvCache::KeyPanel(Value keys, Value panel) {
  return k_.Element(keys, panel, KeyPanelBytes(format_, head_dim_));
}

KvCache::ValuePanel KvCache::PanelOfValues(Value values, Value position, Value column_panel) {
  llvm::IRBuilder<>& b = k_.ir();
  Value index = b.CreateUDiv(position, k_.I64(kChunk));
  Value chunk = k_.Element(values, index, ValueChunkBytes(format_, head_dim_));
  if (format_ != DataType::kQ8_0) {
    return {k_.Element(chunk, column_panel, kChunk * kLanes * CacheValueBytes(format_))};
  }
  Value block = k_.Element(chunk, b.CreateUDiv(column_panel, k_.I64(2)), kChunkBlockBytes);
  Value half =
      k_.Element(k_.Offset(block, kChunkScaleBytes), b.CreateURem(column_panel, k_.I64(2)), kLanes);
  return {half, block};
}

// 16 values of the cache as F32; Q8_0 without its scale.
Value KvCache::LoadWide(Value at) {
  llvm::IRBuilder<>& b = k_.ir();
  if (format_ == DataType::kF32) return k_.Load(at);
  if (format_ == DataType::kF16)
    return b.CreateFPExt(b.CreateAlignedLoad(Half16(), at, llvm::Align(2)), k_.F32Vector());
  Value quants = b.CreateAlignedLoad(Byte16(), at, llvm::Align(1));
  return b.CreateSIToFP(b.CreateSExt(quants, k_.I32Vector()), k_.F32Vector());
}

Value KvCache::Read(Value at, Reading reading) {
  if (reading == Reading::kOnce) k_.Prefetch(k_.Offset(at, kPrefetchBytes));
  return LoadWide(at);
}

Values KvCache::OverKeys(const Values& panels, Reading reading, const Values& initial,
                         const std::function<Values(Value, const Values&, const Values&)>& body) {
  llvm::IRBuilder<>& b = k_.ir();
  if (format_ != DataType::kQ8_0) {
    return k_.Loop(k_.I64(0), k_.I64(head_dim_), 1, initial, [&](Value d, const Values& carried) {
      Values keys;
      for (Value panel : panels) {
        keys.push_back(Read(k_.Element(panel, d, kLanes * CacheValueBytes(format_)), reading));
      }
      return body(d, keys, carried);
    });
  }
  const auto over_block = [&](Value block, int64_t columns, const Values& carried) {
    Values scales;
    Values quants;
    for (Value panel : panels) {
      Value at = k_.Element(panel, block, kPanelBlockBytes);
      scales.push_back(
          b.CreateFPExt(b.CreateAlignedLoad(Half16(), at, llvm::Align(2)), k_.F32Vector()));
      quants.push_back(k_.Offset(at, kScaleBytes));
    }
    Value first = b.CreateMul(block, k_.I64(kBlock));
    return k_.Loop(k_.I64(0), k_.I64(columns), 1, carried, [&](Value column, const Values& sums) {
      Values keys;
      for (size_t i = 0; i < panels.size(); ++i) {
        Value quant = Read(k_.Element(quants[i], column, kLanes), reading);
        keys.push_back(b.CreateFMul(quant, scales[i]));
      }
      return body(b.CreateAdd(first, column), keys, sums);
    });
  };
  const int64_t whole = head_dim_ / kBlock;
  Values carried = initial;
  if (whole > 0) {
    carried = k_.Loop(k_.I64(0), k_.I64(whole), 1, carried, [&](Value block, const Values& sums) {
      return over_block(block, kBlock, sums);
    });
  }
  if (head_dim_ % kBlock != 0) carried = over_block(k_.I64(whole), head_dim_ % kBlock, carried);
  return carried;
}

Values KvCache::OverValues(const std::vector<ValuePanel>& panels, Reading reading, Value begin,
                           Value end, const Values& initial,
                           const std::function<Values(Value, const Values&, const Values&)>& body) {
  llvm::IRBuilder<>& b = k_.ir();
  const int64_t row = format_ == DataType::kQ8_0 ? kBlock : kLanes * CacheValueBytes(format_);
  return k_.Loop(begin, end, 1, initial, [&](Value position, const Values& carried) {
    Values values;
    for (const ValuePanel& panel : panels) {
      Value value = Read(k_.Element(panel.at, position, row), reading);
      if (panel.scales != nullptr) {
        Value scale = k_.LoadScalar(b.getHalfTy(), k_.Element(panel.scales, position, 2));
        value = b.CreateFMul(value, k_.Splat(b.CreateFPExt(scale, b.getFloatTy())));
      }
      values.push_back(value);
    }
    return body(position, values, carried);
  });
}

void KvCache::OverBlocks(Value row, const std::function<void(Value, const Values&, Value)>& body) {
  llvm::IRBuilder<>& b = k_.ir();
  const auto quantize = [&](Value block, int64_t columns) {
    Values inputs;
    Value bits = k_.SplatI32(0);
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      Value mask =
          columns - i < kLanes ? k_.LanesBelow(k_.I64(std::max<int64_t>(columns - i, 0))) : nullptr;
      Value at = k_.Element(row, b.CreateMul(block, k_.I64(kBlock)), 4);
      inputs.push_back(k_.Load(k_.Offset(at, i * 4), mask));
      // Sizes compare as their bits do, and NaN is above all, so that it shows in the scale.
      Value size = b.CreateBitCast(k_.Abs(inputs.back()), k_.I32Vector());
      bits = b.CreateSelect(b.CreateICmpSGT(size, bits), size, bits);
    }
    Value largest = b.CreateBitCast(k_.ReduceMaxI32(bits), b.getFloatTy());
    Value scale = b.CreateFDiv(largest, k_.F32(127));
    Value inverse = b.CreateSelect(b.CreateFCmpOEQ(scale, k_.F32(0)), k_.F32(0),
                                   b.CreateFDiv(k_.F32(1), scale));
    Values quants;
    for (Value input : inputs) {
      // Half away from zero on the exact fraction, and 0 where the product is beyond any quant.
      Value product = b.CreateFMul(input, k_.Splat(inverse));
      Value size = k_.Abs(product);
      Value floor = b.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, size);
      Value up = b.CreateFCmpOGE(b.CreateFSub(size, floor), k_.SplatF32(0.5));
      Value rounded = b.CreateFAdd(floor, b.CreateSelect(up, k_.SplatF32(1), k_.ZeroF32()));
      rounded = b.CreateSelect(b.CreateFCmpOLT(size, k_.SplatF32(128)), rounded, k_.ZeroF32());
      Value quant = b.CreateFPToSI(rounded, k_.I32Vector());
      quant = b.CreateSelect(b.CreateFCmpOLT(product, k_.ZeroF32()), b.CreateNeg(quant), quant);
      quants.push_back(b.CreateTrunc(quant, Byte16()));
    }
    body(block, quants, b.CreateFPTrunc(scale, b.getHalfTy()));
  };
  const int64_t whole = head_dim_ / kBlock;
  k_.Loop(k_.I64(0), k_.I64(whole), 1, [&](Value block) { quantize(block, kBlock); });
  if (head_dim_ % kBlock != 0) quantize(k_.I64(whole), head_dim_ % kBlock);
}

void KvCache::StoreKey(Value keys, Value position, Value key) {
  llvm::IRBuilder<>& b = k_.ir();
  Value panel = KeyPanel(keys, b.CreateUDiv(position, k_.I64(kLanes)));
  Value lane = b.CreateURem(position, k_.I64(kLanes));
  if (format_ != DataType::kQ8_0) {
    const int64_t size = CacheValueBytes(format_);
    Value at = k_.Element(panel, lane, size);
    k_.Loop(k_.I64(0), k_.I64(head_dim_), 1, [&](Value d) {
      Value value = k_.LoadF32(k_.Element(key, d, 4));
      if (format_ == DataType::kF16) value = b.CreateFPTrunc(value, b.getHalfTy());
      b.CreateStore(value, k_.Element(at, d, kLanes * size));
    });
    return;
  }
  Value row = k_.Scratch(kBlock / 4);
  OverBlocks(key, [&](Value block, const Values& quants, Value scale) {
    Value at = k_.Element(panel, block, kPanelBlockBytes);
    b.CreateStore(scale, k_.Element(at, lane, 2));
    for (size_t i = 0; i < quants.size(); ++i)
      b.CreateAlignedStore(quants[i], k_.Offset(row, static_cast<int64_t>(i) * kLanes),
                           llvm::Align(16));
    Value column = k_.Offset(k_.Offset(at, kScaleBytes), lane);
    k_.Loop(k_.I64(0), k_.I64(kBlock), 1, [&](Value d) {
      b.CreateStore(k_.LoadScalar(b.getInt8Ty(), k_.Offset(row, d)), k_.Element(column, d, kLanes));
    });
  });
}

void KvCache::StoreValue(Value values, Value position, Value value) {
  llvm::IRBuilder<>& b = k_.ir();
  Value row = b.CreateURem(position, k_.I64(kChunk));
  if (format_ != DataType::kQ8_0) {
    k_.Columns(head_dim_, [&](Value column, Value mask) {
      Value panel = b.CreateUDiv(column, k_.I64(kLanes));
      Value at = k_.Element(PanelOfValues(values, position, panel).at, row,
                            kLanes * CacheValueBytes(format_));
      Value vector = k_.Load(k_.Element(value, column, 4), mask);
      if (format_ == DataType::kF16) vector = b.CreateFPTrunc(vector, Half16());
      b.CreateAlignedStore(vector, at, llvm::Align(32));
    });
    return;
  }
  OverBlocks(value, [&](Value block, const Values& quants, Value scale) {
    const ValuePanel panel = PanelOfValues(values, position, b.CreateMul(block, k_.I64(2)));
    b.CreateStore(scale, k_.Element(panel.scales, row, 2));
    for (size_t i = 0; i < quants.size(); ++i) {
      b.CreateAlignedStore(
          quants[i], k_.Offset(k_.Element(panel.at, row, kBlock), static_cast<int64_t>(i) * kLanes),
          llvm::Align(16));
    }
  });
}

}  // namespace weft::codegen
