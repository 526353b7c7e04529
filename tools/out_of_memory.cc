#include "tools/out_of_memory.h"

#include <unistd.h>

#include <cstring>
#include <new>

#include "codegen/fatal_errors.h"

namespace weft::tools {
namespace {

// Allocates nothing.
void Say(const char* text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); }

[[noreturn]] void OnNoMemory() {
  Say("weft: out of memory: the system gives no more (check ulimit -v and the container's "
      "limit)\n");
  _exit(1);
}

void OnLlvmError(const char* reason) {
  Say("weft: the compiler cannot go on: ");
  Say(reason);
  Say(" (not enough memory or address space? check ulimit -v and the container's limit)\n");
  _exit(1);
}

}  // namespace

void EndProcessWhereMemoryEnds() {
  std::set_new_handler(OnNoMemory);
  codegen::SetFatalErrorHandler(OnLlvmError);
}

}  // namespace weft::tools
