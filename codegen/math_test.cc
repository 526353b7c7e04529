// Against the library whose algorithms these are, bit for bit: a sample of inputs in every run, all
// 2^32 with
// --gtest_also_run_disabled_tests. And against libm, for accuracy.
#include "codegen/math.h"

#include <gtest/gtest.h>
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "codegen/compiler.h"
#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

// sleef.h declares these only to compilers that are told to use AVX2.
extern "C" {
__attribute__((target("avx2"))) __m256 Sleef_finz_expf8_u10avx2(__m256);
__attribute__((target("avx2"))) __m256 Sleef_finz_tanhf8_u35avx2(__m256);
__attribute__((target("avx2"))) __m256 Sleef_finz_erff8_u10avx2(__m256);
}

namespace weft::codegen {
namespace {

using Emit = llvm::Value* (*)(KernelBuilder&, llvm::Value*);

// A kernel that applies the function to 16 floats of operand 0 per unit.
class Function {
 public:
  Function(Emit emit, const Target& target) {
    KernelSpec spec{.node = {.op = ir::Op::kAdd}};
    spec.operands.resize(2);
    const NamedEmission emission{"f", spec, [emit](KernelBuilder& k) {
                                   k.Loop(k.begin(), k.end(), 1, [&](llvm::Value* unit) {
                                     llvm::Value* x = k.Load(k.Element(k.Operand(0), unit, 64));
                                     k.Store(emit(k, x), k.Element(k.Operand(1), unit, 64));
                                   });
                                 }};
    jit_ = *Jit::Load(*CompileToObject(absl::MakeConstSpan(&emission, 1), target));
    function_ = *jit_->Lookup("f");
  }

  // x.size() is a multiple of 16.
  std::vector<float> operator()(const std::vector<float>& x) const {
    std::vector<float> y(x.size());
    void* operands[] = {const_cast<float*>(x.data()), y.data()};
    const KernelContext context{};
    function_(&context, operands, 0, static_cast<int64_t>(x.size() / 16));
    return y;
  }

 private:
  std::unique_ptr<Jit> jit_;
  KernelFn function_ = nullptr;
};

using SleefFunction = __m256 (*)(__m256);

// y = f(x); x.size() is a multiple of 8.
__attribute__((target("avx2"))) std::vector<float> Apply(SleefFunction f,
                                                         const std::vector<float>& x) {
  std::vector<float> y(x.size());
  for (size_t i = 0; i < x.size(); i += 8) _mm256_storeu_ps(&y[i], f(_mm256_loadu_ps(&x[i])));
  return y;
}

struct Case {
  const char* name;
  Emit emit;
  SleefFunction sleef;
  double (*libm)(double);
  double ulps;
};

const Case kCases[] = {
    {"exp", EmitExp, Sleef_finz_expf8_u10avx2, std::exp, 1.1},
    {"tanh", EmitTanh, Sleef_finz_tanhf8_u35avx2, std::tanh, 3.6},
    {"erf", EmitErf, Sleef_finz_erff8_u10avx2, std::erf, 1.1},
};

bool SameOrBothNaN(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

// Inputs first, first + step, … by bit pattern, in batches.
void CheckAgainstSleef(const Case& test, const Target& target, uint64_t step) {
  const Function function(test.emit, target);
  constexpr size_t kBatch = 1 << 16;
  std::vector<float> x(kBatch);
  uint64_t wrong = 0;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32;) {
    for (float& value : x) {
      value = std::bit_cast<float>(static_cast<uint32_t>(bits));
      bits += step;
    }
    const std::vector<float> y = function(x);
    const std::vector<float> expected = Apply(test.sleef, x);
    for (size_t i = 0; i < kBatch; ++i) {
      if (!SameOrBothNaN(y[i], expected[i]) && ++wrong <= 5) {
        ADD_FAILURE() << test.name << "(" << x[i] << ") is " << y[i] << ", not " << expected[i]
                      << ", on " << target.name;
      }
    }
  }
  EXPECT_EQ(wrong, 0U);
}

TEST(Math, SampledInputsEqualSleef) {
  for (const Case& test : kCases) {
    for (const Target& target : TestTargets())
      CheckAgainstSleef(test, target, 1021);  // a prime: all exponents and signs
  }
}

// Some minutes on one core.
TEST(Math, DISABLED_AllInputsEqualSleef) {
  for (const Case& test : kCases) CheckAgainstSleef(test, TestTargets().front(), 1);
}

TEST(Math, AccurateWithinTheAlgorithmsBounds) {
  for (const Case& test : kCases) {
    const Function function(test.emit, TestTargets().front());
    std::vector<float> x;
    for (int i = -160000; i < 160000; ++i) x.push_back(static_cast<float>(i) * 5e-4F);
    const std::vector<float> y = function(x);
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = test.libm(x[i]);
      const double ulp =
          std::ldexp(1.0, std::max(std::ilogb(static_cast<float>(expected)), -126) - 23);
      ASSERT_NEAR(y[i], expected, test.ulps * ulp) << test.name << "(" << x[i] << ")";
    }
  }
}

TEST(Math, Extremes) {
  const float inf = INFINITY;
  std::vector<float> x = {0.0F,  -0.0F,   inf,   -inf,   NAN,  1e30F, -1e30F, 1e-40F,
                          89.0F, -104.5F, 88.0F, -87.0F, 8.7F, -8.7F, 4.0F,   -4.0F};
  const std::vector<float> e = Function(EmitExp, TestTargets().front())(x);
  EXPECT_EQ(e[0], 1);
  EXPECT_EQ(e[2], inf);
  EXPECT_EQ(e[3], 0);
  EXPECT_TRUE(std::isnan(e[4]));
  EXPECT_EQ(e[5], inf);
  EXPECT_EQ(e[6], 0);
  EXPECT_EQ(e[9], 0);
  const std::vector<float> t = Function(EmitTanh, TestTargets().front())(x);
  EXPECT_TRUE(std::signbit(t[1]));
  EXPECT_EQ(t[2], 1);
  EXPECT_EQ(t[3], -1);
  EXPECT_TRUE(std::isnan(t[4]));
  EXPECT_EQ(t[12], 1);
}

}  // namespace
}  // namespace weft::codegen
