#include "codegen/fatal_errors.h"

#include "llvm/Support/ErrorHandling.h"

namespace weft::codegen {
namespace {

void (*given)(const char* reason) = nullptr;

void OnFatalError(void* /*user*/, const char* reason, bool /*crash*/) { given(reason); }

}  // namespace

void SetFatalErrorHandler(void (*handler)(const char* reason)) {
  given = handler;
  llvm::install_fatal_error_handler(OnFatalError);
  llvm::install_bad_alloc_error_handler(OnFatalError);
}

}  // namespace weft::codegen
