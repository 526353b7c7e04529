#include "codegen/math.h"

#include <cmath>

#include "llvm/IR/Intrinsics.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;

// ln 2 in two parts, the first with few enough bits that a product with a small integer is exact.
constexpr double kLn2High = 0.693145751953125;
constexpr double kLn2Low = 1.428606765330187045e-06;
constexpr double kLog2E = 1.442695040888963407359924681001892137426645954152985934135449406931;
// Adding 1.5 · 2^23 to a float below 2^22 in size rounds it to an integer, which then stands in the
// low bits.
constexpr double kRounder = 12582912.0;
constexpr int32_t kRounderBits = 0x4B400000;
// exp is 0 below and infinite above; beyond these bounds the lanes hold numbers of no meaning until
// they are replaced.
constexpr double kExpLow = -104;
constexpr double kExpHigh = 100;

struct Double {  // an unevaluated sum of two floats
  Value high, low;
};

// Emission of the float and two-float operations that the algorithms are written in.
class Math {
 public:
  explicit Math(KernelBuilder& k) : k_(k), ir_(k.ir()) {}

  Value C(double value) { return k_.SplatF32(static_cast<float>(value)); }
  Value Add(Value a, Value b) { return ir_.CreateFAdd(a, b); }
  Value Sub(Value a, Value b) { return ir_.CreateFSub(a, b); }
  Value Mul(Value a, Value b) { return ir_.CreateFMul(a, b); }
  Value Fma(Value a, Value b, Value c) { return k_.Fma(a, b, c); }
  Value Less(Value a, Value b) { return ir_.CreateFCmpOLT(a, b); }
  Value Select(Value c, Value a, Value b) { return ir_.CreateSelect(c, a, b); }

  // Nearest integer as i32; of no meaning from 2^22 on, where callers replace the lane.
  Value RoundToInt(Value x) {
    return ir_.CreateSub(ir_.CreateBitCast(Add(x, C(kRounder)), k_.I32Vector()),
                         k_.SplatI32(kRounderBits));
  }
  Value ToFloat(Value i) { return ir_.CreateSIToFP(i, k_.F32Vector()); }
  Value Power2(Value i) {
    return ir_.CreateBitCast(ir_.CreateShl(ir_.CreateAdd(i, k_.SplatI32(127)), k_.SplatI32(23)),
                             k_.F32Vector());
  }
  // x · 2^i, by two factors so that subnormal results round once.
  Value Scale(Value x, Value i) {
    Value half = ir_.CreateAShr(i, k_.SplatI32(1));
    return Mul(Mul(x, Power2(half)), Power2(ir_.CreateSub(i, half)));
  }
  Value MulSign(Value x, Value sign) {
    Value bits = ir_.CreateAnd(ir_.CreateBitCast(sign, k_.I32Vector()), k_.SplatI32(INT32_MIN));
    return ir_.CreateBitCast(ir_.CreateXor(ir_.CreateBitCast(x, k_.I32Vector()), bits),
                             k_.F32Vector());
  }

  Value Exp(Value x);
  Value Expm1(Value x);
  Double Exp(Double x);

  Double MulTwo(Value a, Value b) {
    Value s = Mul(a, b);
    return {s, Fma(a, b, ir_.CreateFNeg(s))};
  }
  Double MulTwo(Double a, Value b) {
    Value s = Mul(a.high, b);
    return {s, Fma(a.low, b, Fma(a.high, b, ir_.CreateFNeg(s)))};
  }
  Double MulTwo(Double a, Double b) {
    Value s = Mul(a.high, b.high);
    return {s, Fma(a.high, b.low, Fma(a.low, b.high, Fma(a.high, b.high, ir_.CreateFNeg(s))))};
  }
  Double Square(Double a) {
    Value s = Mul(a.high, a.high);
    return {s, Fma(Add(a.high, a.high), a.low, Fma(a.high, a.high, ir_.CreateFNeg(s)))};
  }
  // Error of the sum s = a + b.
  Value SumError(Value a, Value b, Value s) {
    Value v = Sub(s, a);
    return Add(Sub(a, Sub(s, v)), Sub(b, v));
  }
  Double AddTwo(Double a, Value b) {
    Value s = Add(a.high, b);
    return {s, Add(SumError(a.high, b, s), a.low)};
  }
  Double AddTwo(Double a, Double b) {
    Value s = Add(a.high, b.high);
    return {s, Add(SumError(a.high, b.high, s), Add(a.low, b.low))};
  }
  // |a| ≥ |b|.
  Double AddSmaller(Value a, Double b) {
    Value s = Add(a, b.high);
    return {s, Add(Add(Sub(a, s), b.high), b.low)};
  }

 private:
  Value Reduced(Value x, Value q) {
    Value n = ToFloat(q);
    return Fma(n, C(-kLn2Low), Fma(n, C(-kLn2High), x));
  }

  KernelBuilder& k_;
  llvm::IRBuilder<>& ir_;
};

Value Math::Exp(Value x) {
  Value q = RoundToInt(Mul(x, C(kLog2E)));
  Value s = Reduced(x, q);
  Value u = C(0.000198527617612853646278381);
  for (double c : {0.00139304355252534151077271, 0.00833336077630519866943359,
                   0.0416664853692054748535156, 0.166666671633720397949219, 0.5}) {
    u = Fma(u, s, C(c));
  }
  u = Scale(Add(C(1), Fma(Mul(s, s), u, s)), q);
  u = Select(Less(x, C(kExpLow)), C(0), u);
  return Select(Less(C(kExpHigh), x), C(INFINITY), u);
}

Value Math::Expm1(Value x) {
  Value q = RoundToInt(Mul(x, C(kLog2E)));
  Value s = Reduced(x, q);
  Value s2 = Mul(s, s);
  Value s4 = Mul(s2, s2);
  Value high = Fma(s, C(0.000198527617612853646278381), C(0.00139304355252534151077271));
  Value middle = Fma(s, C(0.00833336077630519866943359), C(0.0416664853692054748535156));
  Value low = Fma(s, C(0.166666671633720397949219), C(0.5));
  Value u = Fma(s4, high, Fma(s2, middle, low));
  u = Fma(s2, u, s);
  Value scaled = Sub(Scale(Add(u, C(1)), q), C(1));
  return Select(ir_.CreateICmpEQ(q, k_.SplatI32(0)), u, scaled);
}

Double Math::Exp(Double x) {
  Value q = RoundToInt(Mul(Add(x.high, x.low), C(kLog2E)));
  Value n = ToFloat(q);
  Double s = AddTwo(AddTwo(x, Mul(n, C(-kLn2High))), Mul(n, C(-kLn2Low)));
  Value u = C(0.1980960224e-3F);
  for (float c : {0.1394256484e-2F, 0.8333456703e-2F, 0.4166637361e-1F}) u = Fma(u, s.high, C(c));
  Double t = AddTwo(MulTwo(s, u), C(0.166666659414234244790680580464));
  t = AddTwo(MulTwo(s, t), C(0.5));
  t = AddSmaller(C(1), AddTwo(s, MulTwo(Square(s), t)));
  Value tiny = Less(x.high, C(kExpLow));
  return {Select(tiny, C(0), Scale(t.high, q)), Select(tiny, C(0), Scale(t.low, q))};
}

}  // namespace

Value EmitExp(KernelBuilder& k, Value x) { return Math(k).Exp(x); }

Value EmitTanh(KernelBuilder& k, Value x) {
  Math m(k);
  Value size = k.Abs(x);
  Value d = m.Expm1(m.Mul(m.C(2), size));
  Value y = k.ir().CreateFDiv(d, m.Add(m.C(2), d));
  Value one =
      k.ir().CreateOr(k.ir().CreateFCmpOGT(size, m.C(8.664339742F)), k.ir().CreateFCmpUNO(y, y));
  y = m.MulSign(m.Select(one, m.C(1), y), x);
  return m.Select(k.ir().CreateFCmpUNO(x, x), m.C(NAN), y);
}

Value EmitErf(KernelBuilder& k, Value x) {
  Math m(k);
  Value a = k.Abs(x);
  Value first = m.Less(a, m.C(1.1));
  Value second = m.Less(a, m.C(2.4));
  Value below = m.Less(a, m.C(4.0));
  // Coefficients for a below 1.1, below 2.4, and above.
  const auto pick = [&](double c0, double c1, double c2) {
    return m.Select(first, m.C(c0), m.Select(second, m.C(c1), m.C(c2)));
  };
  // A coefficient in two floats.
  const auto pick2 = [&](double c0, double c1, double c2) {
    const auto low = [](double c) { return c - static_cast<double>(static_cast<float>(c)); };
    return Double{pick(c0, c1, c2), pick(low(c0), low(c1), low(c2))};
  };
  Value u = m.Select(first, m.Mul(a, a), a);
  Value t = pick(0.7089292194e-4F, -0.1792667899e-4F, -0.9495757695e-5F);
  t = m.Fma(t, u, pick(-0.7768311189e-3F, 0.3937633010e-3F, 0.2481465926e-3F));
  t = m.Fma(t, u, pick(0.5159463733e-2F, -0.3949181177e-2F, -0.2918176819e-2F));
  t = m.Fma(t, u, pick(-0.2683781274e-1F, 0.2445474640e-1F, 0.2059706673e-1F));
  t = m.Fma(t, u, pick(0.1128318012e+0F, -0.1070996150e+0F, -0.9901899844e-1F));
  Double d = m.MulTwo(t, u);
  d = m.AddTwo(d, pick2(-0.376125876000657465175213237214, -0.634588905908410389971210809210,
                        -0.643598050547891613081201721633));
  d = m.MulTwo(d, u);
  d = m.AddTwo(d, pick2(0.112837916021059138255978217023e+1, -0.112879855826694507209862753992e+1,
                        -0.112461487742845562801052956293e+1));
  d = m.MulTwo(d, a);
  Double e = m.Exp(d);
  Double upper = m.AddSmaller(m.C(1), {k.ir().CreateFNeg(e.high), k.ir().CreateFNeg(e.low)});
  d = {m.Select(first, d.high, upper.high), m.Select(first, d.low, upper.low)};
  Value y = m.MulSign(m.Select(below, m.Add(d.high, d.low), m.C(1)), x);
  return m.Select(k.ir().CreateFCmpUNO(a, a), m.C(NAN), y);
}

Value EmitActivation(KernelBuilder& k, const std::string& fn, Value x) {
  Math m(k);
  if (fn == "silu") return k.ir().CreateFDiv(x, m.Add(m.C(1), m.Exp(k.ir().CreateFNeg(x))));
  Value half = m.Mul(m.C(0.5), x);
  if (fn == "gelu") return m.Mul(half, m.Add(m.C(1), EmitErf(k, m.Mul(x, m.C(M_SQRT1_2)))));
  WEFT_CHECK(fn == "gelu_tanh");
  // https://arxiv.org/abs/1606.08415: x/2 · (1 + tanh(sqrt(2/π) · (x + 0.044715 x³)))
  Value cubic = m.Fma(m.Mul(m.Mul(x, x), x), m.C(0.044715), x);
  return m.Mul(half, m.Add(m.C(1), EmitTanh(k, m.Mul(m.C(M_SQRT1_2 * M_2_SQRTPI), cubic))));
}

Value EmitSoftcap(KernelBuilder& k, double cap, Value x) {
  Math m(k);
  return m.Mul(m.C(cap), EmitTanh(k, k.ir().CreateFDiv(x, m.C(cap))));
}

}  // namespace weft::codegen
