#include "tools/interrupt.h"

namespace weft::tools {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};
std::atomic<bool> interrupted = false;

void OnSignal(int number) {
  interrupted = true;
  (void)signal(number, SIG_DFL);
}

}  // namespace

CatchInterrupts::CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  // After the first, the next is to end the process.
  for (int i = 0; i < 2; ++i)
    (void)sigaction(kSignals[i], Interrupted() ? nullptr : &action, &before_[i]);
}

CatchInterrupts::~CatchInterrupts() {
  for (int i = 0; i < 2 && !Interrupted(); ++i) (void)sigaction(kSignals[i], &before_[i], nullptr);
}

const std::atomic<bool>* InterruptFlag() { return &interrupted; }

bool Interrupted() { return interrupted; }

}  // namespace weft::tools
