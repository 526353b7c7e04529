#include "tools/interrupt.h"

#include <csignal>

namespace weft::tools {
namespace {

std::atomic<bool> interrupted = false;

void OnSignal(int signal) {
  interrupted = true;
  std::signal(signal, SIG_DFL);
}

}  // namespace

const std::atomic<bool>* InterruptFlag() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  return &interrupted;
}

bool Interrupted() { return interrupted; }

}  // namespace weft::tools
