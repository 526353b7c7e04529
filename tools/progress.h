// A progress bar on stderr where that is a terminal; elsewhere silence.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "frontends/hub/options.h"

namespace weft::tools {

class ProgressBar {
 public:
  ProgressBar();
  // Ends the line that a bar has drawn.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `total` 0: unknown. Draws at most ten times a second, and when a label ends.
  void Update(const std::string& label, uint64_t done, uint64_t total);
  // The same in plain numbers instead of bytes; draws every time.
  void UpdateCount(const std::string& label, uint64_t done, uint64_t total);
  // A line of its own, terminal or not.
  void Note(const std::string& text);

 private:
  void Draw(const std::string& label, double share, const std::string& amount);
  void Clear();

  const bool terminal_;
  bool drawn_ = false;
  std::string label_;
  std::chrono::steady_clock::time_point last_;
};

// Options for the hub that report to `bar`, which must outlive them.
HubOptions HubOptionsWith(ProgressBar* bar);

}  // namespace weft::tools
