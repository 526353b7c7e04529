// A generation's profile as one page of HTML that needs no network.
#pragma once

#include <string>
#include <vector>

#include "ir/module.h"
#include "passes/pass_manager.h"
#include "tools/profile_recorder.h"
#include "tools/profile_table.h"

namespace weft::tools {

struct HtmlReport {
  const ProfileReport* profile = nullptr;
  const ProfileRecorder* recorder = nullptr;
  std::vector<passes::PassStats> passes;  // none of a plan
  const ir::Module* imported = nullptr;   // before the passes; null of a plan
  const ir::Module* compiled = nullptr;   // after them
};

// Summary, tables, roofline, time by layer, latency by token, timelines, memory, passes and a layer
// before and after them. The page's script draws; what it draws stands in it as JSON.
std::string HtmlOf(const HtmlReport& report);

// What the page says in words, a sentence each.
std::vector<std::string> SummaryOf(const ProfileReport& report);

}  // namespace weft::tools
