// The goldens of tests/oracle through a plan, as a user of the public interface reads them.
#pragma once

#include <string>

#include "runtime/c/weft.hpp"

namespace weft {

// A plan of tests/oracle/tiny/MODEL in F32 gives the model's golden logits, a token at a time, and
// then its greedy tokens.
void ExpectGoldens(const runtime::Plan& plan, const std::string& model);

}  // namespace weft
