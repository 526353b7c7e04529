// docs/ir.md, made from the op table.
#pragma once

#include <string>

namespace weft::ir {

std::string OpReference();

}  // namespace weft::ir
