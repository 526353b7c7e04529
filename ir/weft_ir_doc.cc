// weft-ir-doc: prints docs/ir.md. scripts/update-docs writes the file with it.
#include <cstdio>
#include <string>

#include "ir/op_doc.h"

int main() {
  const std::string text = weft::ir::OpReference();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
