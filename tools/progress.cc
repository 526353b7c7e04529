#include "tools/progress.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/str_format.h"

namespace weft::tools {

ProgressBar::ProgressBar() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Clear() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

void ProgressBar::Update(const std::string& label, uint64_t done, uint64_t total) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (label == label_ && done != total && now - last_ < std::chrono::milliseconds(100)) return;
  label_ = label;
  last_ = now;
  const double mega = 1e6;
  std::string line =
      absl::StrFormat("\r\033[K%s  %.1f MB", label, static_cast<double>(done) / mega);
  if (total > 0) {
    constexpr int kWidth = 30;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    const int filled = static_cast<int>(share * kWidth);
    line = absl::StrFormat("\r\033[K%s  [%s%s] %3.0f %%  %.1f of %.1f MB", label,
                           std::string(filled, '='), std::string(kWidth - filled, ' '), 100 * share,
                           static_cast<double>(done) / mega, static_cast<double>(total) / mega);
  }
  std::cerr << line << std::flush;
  drawn_ = true;
}

void ProgressBar::Note(const std::string& text) {
  Clear();
  std::cerr << "weft: " << text << std::endl;
}

HubOptions HubOptionsWith(ProgressBar* bar) {
  HubOptions options;
  options.progress = [bar](const HubProgress& report) {
    if (!report.note.empty()) {
      bar->Note(report.note);
    } else {
      bar->Update(report.file, report.done, report.total);
    }
  };
  return options;
}

}  // namespace weft::tools
