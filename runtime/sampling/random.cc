#include "runtime/sampling/random.h"

#include <cmath>

namespace weft {

double ReproducibleExp(double x) {
  // Below, e^x is less than half of the smallest subnormal number.
  if (x < -746.0) return 0.0;
  // x = n·ln 2 + r with |r| <= ln(2)/2. ln 2 in two parts: the first has 32 bits, so that its
  // product with n is exact.
  constexpr double kInverseLn2 = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42fee00000p-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const double n = std::floor(x * kInverseLn2 + 0.5);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  // Taylor's series to r^13/13!; the next term is below 5e-18 for |r| <= 0.3466.
  double sum = 1.0;
  for (int i = 13; i >= 1; --i) sum = 1.0 + sum * (r / i);
  return std::ldexp(sum, int(n));
}

}  // namespace weft
