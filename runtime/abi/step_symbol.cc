#include "runtime/abi/step_symbol.h"

namespace weft {

std::string StepSymbol(const Step& step, size_t index) {
  std::string symbol = "step" + std::to_string(index) + "." + step.name + "." + step.kernel;
  for (char& c : symbol) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '.' && c != '_') c = '_';
  }
  return symbol;
}

}  // namespace weft
