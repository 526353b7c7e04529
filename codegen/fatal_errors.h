// What LLVM gives up on.
#pragma once

namespace weft::codegen {

// From then on, in this process, `handler` is called where LLVM cannot go on (no memory, as a rule)
// and would abort. It must not return. Once.
void SetFatalErrorHandler(void (*handler)(const char* reason));

}  // namespace weft::codegen
