// Ctrl-C as a flag that long work looks at.
#pragma once

#include <signal.h>

#include <atomic>

namespace weft::tools {

// While one lives, SIGINT and SIGTERM set the flag, and a second one ends the process at once. At
// other times the first does: nobody looks at a flag who waits for a network, a lock or a prompt,
// and what such work leaves behind bears kill -9. On the main thread; may be nested.
class CatchInterrupts {
 public:
  CatchInterrupts();
  ~CatchInterrupts();
  CatchInterrupts(const CatchInterrupts&) = delete;
  CatchInterrupts& operator=(const CatchInterrupts&) = delete;

 private:
  struct sigaction before_[2];
};

const std::atomic<bool>* InterruptFlag();
bool Interrupted();

}  // namespace weft::tools
