#include "tools/progress.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/str_format.h"
#include "runtime/text/terminal_text.h"

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
  constexpr double kMega = 1e6;
  const double mega_done = static_cast<double>(done) / kMega;
  if (total == 0) {
    Draw(label, -1, absl::StrFormat("%.1f MB", mega_done));
    return;
  }
  Draw(label, static_cast<double>(done) / static_cast<double>(total),
       absl::StrFormat("%.1f of %.1f MB", mega_done, static_cast<double>(total) / kMega));
}

void ProgressBar::UpdateCount(const std::string& label, uint64_t done, uint64_t total) {
  if (!terminal_ || total == 0) return;
  Draw(label, static_cast<double>(done) / static_cast<double>(total),
       absl::StrFormat("%d of %d", done, total));
}

// A share below 0 is unknown.
void ProgressBar::Draw(const std::string& label, double share, const std::string& amount) {
  std::string bar;
  if (share >= 0) {
    constexpr int kWidth = 30;
    const int filled = static_cast<int>(share * kWidth);
    bar = absl::StrFormat("[%s%s] %3.0f %%  ", std::string(filled, '='),
                          std::string(kWidth - filled, ' '), 100 * share);
  }
  std::cerr << "\r\033[K" << label << "  " << bar << amount << std::flush;
  drawn_ = true;
}

void ProgressBar::Note(const std::string& text) {
  Clear();
  std::cerr << "weft: " << TerminalText(text) << std::endl;
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
