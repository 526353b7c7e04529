#include "tools/trace_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

namespace weft::tools {
namespace {

using nlohmann::json;

Program ThreeSteps() {
  Program program;
  program.steps.push_back({.name = "layers.0.norm", .kind = "rms_norm", .kernel = "rms_norm_8"});
  program.steps.push_back({.name = "layers.0.rope", .kind = "rope", .kernel = "rope_8"});
  program.steps.push_back({.name = "a \"quoted\" matmul", .kind = "matmul", .kernel = "matmul_8"});
  program.steps[2].weight_bytes = 4000;
  program.steps[2].detail = "q8_0 8x8";
  return program;
}

// One run of two workers: the first two steps take turns on rows, so that their times cross.
KeptRun CrossingRun(int64_t begin_ns) {
  KeptRun run{.phase = "prefill", .begin_ns = begin_ns, .end_ns = begin_ns + 10000};
  run.context = {.tokens = 4, .logit_rows = 1, .position = 7};
  run.intervals = {{begin_ns + 100, begin_ns + 2000, 900},
                   {begin_ns + 300, begin_ns + 2100, 800},
                   {begin_ns + 3000, begin_ns + 5000, 2000},
                   {begin_ns + 200, begin_ns + 900, 700},
                   {},
                   {begin_ns + 3500, begin_ns + 7000, 3500}};
  return run;
}

json Events(const std::string& text) {
  const json parsed = json::parse(text, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << text;
  return parsed.at("traceEvents");
}

TEST(TraceEventsTest, EverySpanLiesInItsRunAndSpansOfATrackDoNotCross) {
  const Program program = ThreeSteps();
  const std::deque<KeptRun> runs = {CrossingRun(5'000'000'000), CrossingRun(5'000'020'000)};
  const json events = Events(TraceEvents(program, runs, {}, 0));
  std::map<int, double> end_of_track;
  int spans = 0;
  for (const json& event : events) {
    if (event.at("ph") != "X") continue;
    ++spans;
    const double begin = event.at("ts").get<double>();
    const double end = begin + event.at("dur").get<double>();
    const int track = event.at("tid").get<int>();
    EXPECT_GE(begin, end_of_track[track]) << event;
    end_of_track[track] = end;
    const double run_begin = begin >= 20 ? 20 : 0;
    EXPECT_LE(end, run_begin + 10) << event;
  }
  EXPECT_EQ(spans, 2 * (1 + 5)) << "each run, and five steps that a worker had units of";
}

TEST(TraceEventsTest, MatmulsSayWhatTheyRead) {
  const json events = Events(TraceEvents(ThreeSteps(), {CrossingRun(1'000)}, {}, 0));
  int seen = 0;
  for (const json& event : events) {
    if (event.at("name") != "a \"quoted\" matmul") continue;
    ++seen;
    EXPECT_EQ(event.at("cat"), "matmul");
    EXPECT_EQ(event.at("args").at("weights"), "q8_0 8x8");
    EXPECT_EQ(event.at("args").at("weight_bytes"), 4000);
    // Of all workers: from 3000 to 7000 ns.
    EXPECT_DOUBLE_EQ(event.at("args").at("gb_per_s").get<double>(), 1.0);
  }
  EXPECT_EQ(seen, 2);
}

TEST(TraceEventsTest, TheCompilersWorkComesBeforeTheRuns) {
  const std::vector<passes::PassStats> passes = {{"fuse-qkv", 1.5, true, 100, 90}};
  const json events = Events(TraceEvents(ThreeSteps(), {CrossingRun(1'000)}, passes, 2));
  std::map<std::string, json> by_name;
  for (const json& event : events) by_name[event.at("name").get<std::string>()] = event;
  EXPECT_EQ(by_name.at("fuse-qkv").at("dur"), 1500);
  EXPECT_EQ(by_name.at("fuse-qkv").at("args").at("nodes_after"), 90);
  EXPECT_EQ(by_name.at("LLVM").at("ts"), 1500);
  EXPECT_EQ(by_name.at("prefill").at("ts"), 3500);
  EXPECT_NE(by_name.at("LLVM").at("pid"), by_name.at("prefill").at("pid"));
}

TEST(TraceEventsTest, NoRunsAreStillATrace) {
  EXPECT_GE(Events(TraceEvents(Program(), {}, {}, 0)).size(), 1U);
}

}  // namespace
}  // namespace weft::tools
