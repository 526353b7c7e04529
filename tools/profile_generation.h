// A prompt and what follows it, for profiles.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "tools/engine.h"
#include "tools/profile_recorder.h"

namespace weft::tools {

struct ProfiledGeneration {
  std::string prompt = "512";  // text, or how many made-up tokens
  int64_t count = 64;          // tokens to generate
};

// Phases "cold", where it is asked for: the first run of all; "prefill"; "decode". `engine`'s
// executor has `recorder`'s OnRun.
absl::Status ProfileGeneration(const ProfiledGeneration& generation, bool cold, Engine* engine,
                               ProfileRecorder* recorder);

}  // namespace weft::tools
