// Ctrl-C as a flag that long work looks at.
#pragma once

#include <atomic>

namespace weft::tools {

// From the first call on SIGINT and SIGTERM set the flag; a second one ends the process at once.
const std::atomic<bool>* InterruptFlag();
bool Interrupted();

}  // namespace weft::tools
