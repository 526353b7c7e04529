#include "passes/pass_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "ir/text.h"
#include "passes/test_models.h"

namespace weft::passes {
namespace {

using testing::HasSubstr;

constexpr absl::string_view kText = R"(module "m" {
  tensor "emb" : f32[8,4] {file=0, offset=0}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f32[8,4]
  %2 = embed %0, %1 : f32[T,4] @ "embed"
  return %2
})";

absl::Status DoNothing(ir::Module* /*module*/, const PassOptions& /*options*/, bool* /*changed*/) {
  return absl::OkStatus();
}

absl::Status Rename(ir::Module* module, const PassOptions& /*options*/, bool* changed) {
  module->name += "+";
  *changed = true;
  return absl::OkStatus();
}

absl::Status RenameAndLie(ir::Module* module, const PassOptions& /*options*/, bool* /*changed*/) {
  module->node(2).location = "elsewhere";
  return absl::OkStatus();
}

absl::Status BreakType(ir::Module* module, const PassOptions& /*options*/, bool* changed) {
  module->node(2).type.dims[1] = 5;
  *changed = true;
  return absl::OkStatus();
}

absl::Status Refuse(ir::Module* /*module*/, const PassOptions& /*options*/, bool* /*changed*/) {
  return absl::NotFoundError("no such thing");
}

absl::Status NameHasNoMark(const ir::Module& module, const PassOptions& /*options*/) {
  return module.name.find('+') == std::string::npos ? absl::OkStatus()
                                                    : absl::InvalidArgumentError("a mark");
}

const Pass kNothing = {.name = "nothing", .optional = true, .run = DoNothing};
const Pass kRename = {.name = "rename", .optional = true, .run = Rename};
const Pass kLie = {.name = "lie", .run = RenameAndLie};
const Pass kBreak = {.name = "break", .run = BreakType};
const Pass kRefuse = {.name = "refuse", .run = Refuse};
const Pass kChecked = {.name = "checked", .run = DoNothing, .check = NameHasNoMark};

absl::Status Try(const std::vector<Pass>& pipeline, PipelineOptions options = {}) {
  ir::Module module = ParseOrDie(kText);
  options.check_unchanged = true;
  return RunPipeline(pipeline, options, &module).status();
}

TEST(PassManagerTest, TellsWhatAPassChanged) {
  const Pass relabel = {.name = "relabel",
                        .run = [](ir::Module* module, const PassOptions&, bool* changed) {
                          module->node(1).Set(ir::Attr::kWhy, std::string("a reason"));
                          *changed = true;
                          return absl::OkStatus();
                        }};
  ir::Module module = ParseOrDie(kText);
  const auto stats = RunPipeline({relabel, kNothing, kRename}, {}, &module);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_THAT((*stats)[0].attributes, testing::ElementsAre(testing::Pair("why", 1)));
  EXPECT_TRUE((*stats)[0].ops.empty());
  EXPECT_EQ((*stats)[0].types, 0);
  EXPECT_TRUE((*stats)[1].attributes.empty());
  EXPECT_TRUE((*stats)[2].attributes.empty());
}

TEST(PassManagerTest, NamesTheCulprit) {
  const absl::Status broken = Try({kNothing, kBreak, kRename});
  EXPECT_EQ(broken.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(broken.message()),
              testing::StartsWith("pass 'break' left an illegal module: '%2 = embed"));
  const absl::Status refused = Try({kNothing, kRefuse});
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(refused.message(), "pass 'refuse': no such thing");
}

TEST(PassManagerTest, FindsTheLieAboutUnchanged) {
  EXPECT_EQ(Try({kNothing, kLie}).message(),
            "pass 'lie' says that it changed nothing, but now there is:   %2 = embed %0, %1 : "
            "f32[T,4] @ \"elsewhere\"");
  ir::Module module = ParseOrDie(kText);
  PipelineOptions options;
  options.check_unchanged = false;
  EXPECT_TRUE(RunPipeline({&kLie, 1}, options, &module).ok());
}

TEST(PassManagerTest, ChecksHoldFromTheirPassOn) {
  EXPECT_TRUE(Try({kChecked}).ok());
  EXPECT_EQ(Try({kRename, kChecked}).message(), "pass 'checked' left an illegal module: a mark");
  EXPECT_EQ(Try({kChecked, kRename}).message(), "pass 'rename' left an illegal module: a mark");
}

TEST(PassManagerTest, RefusesAnIllegalInput) {
  ir::Module module = ParseOrDie(kText);
  module.node(2).type.dims[1] = 7;
  EXPECT_THAT(std::string(RunPipeline({&kNothing, 1}, {}, &module).status().message()),
              HasSubstr("illegal before any pass"));
}

TEST(PassManagerTest, CountsAndTimes) {
  ir::Module module = ParseOrDie(kText);
  const std::vector<Pass> pipeline = {kNothing, kRename};
  const auto stats = RunPipeline(pipeline, {}, &module);
  ASSERT_TRUE(stats.ok());
  ASSERT_EQ(stats->size(), 2U);
  EXPECT_EQ((*stats)[0].name, "nothing");
  EXPECT_FALSE((*stats)[0].changed);
  EXPECT_EQ((*stats)[0].nodes_before, 3U);
  EXPECT_GE((*stats)[0].ms, 0.0);
  EXPECT_TRUE((*stats)[1].changed);
  EXPECT_EQ((*stats)[1].nodes_after, 3U);
}

TEST(PassManagerTest, DisablesAndStops) {
  const std::vector<Pass> pipeline = {kNothing, kRename, kRefuse};
  const auto name_after = [&](const PipelineOptions& options) {
    ir::Module module = ParseOrDie(kText);
    const auto stats = RunPipeline(pipeline, options, &module);
    return stats.ok() ? absl::StrCat(module.name, " ", stats->size()) : "error";
  };
  EXPECT_EQ(name_after({.stop_after = "import"}), "m 0");
  EXPECT_EQ(name_after({.stop_after = "nothing"}), "m 1");
  EXPECT_EQ(name_after({.stop_after = "rename"}), "m+ 2");
  EXPECT_EQ(name_after({.disabled = {"nothing", "rename"}, .stop_after = "rename"}), "m 0");
  EXPECT_EQ(name_after({}), "error");
}

TEST(PassManagerTest, RefusesUnknownNames) {
  EXPECT_EQ(Try({kNothing, kRename, kRefuse}, {.disabled = {"refuse"}}).message(),
            "--disable-pass: 'refuse' is not optional; those that can be disabled are nothing, "
            "rename");
  EXPECT_THAT(std::string(Try({kNothing}, {.disabled = {"x"}}).message()),
              HasSubstr("'x' is no pass; those that can be disabled are nothing"));
  EXPECT_THAT(std::string(Try({kNothing}, {.stop_after = "x"}).message()),
              HasSubstr("no stage 'x'; the stages are import, nothing"));
  EXPECT_THAT(std::string(Try({kNothing}, {.print_before = {"x"}}).message()),
              HasSubstr("--print-before: there is no stage 'x'"));
  EXPECT_THAT(std::string(Try({kNothing}, {.print_after = {"x"}}).message()),
              HasSubstr("--print-after: there is no stage 'x'"));
  EXPECT_THAT(std::string(Try({kNothing}, {.pass = {.max_tokens = 0}}).message()),
              HasSubstr("number of tokens"));
}

TEST(PassManagerTest, PrintsWhatChanged) {
  std::vector<std::string> seen;
  ir::Module module = ParseOrDie(kText);
  const std::vector<Pass> pipeline = {kNothing, kRename, kChecked};
  PipelineOptions options = {
      .stop_after = "rename", .print_before = {"all"}, .print_after = {"all"}};
  options.sink = [&](absl::string_view stage, absl::string_view when, absl::string_view text) {
    seen.push_back(absl::StrCat(when, " ", stage, ": ", text.substr(0, text.find('{'))));
  };
  ASSERT_TRUE(RunPipeline(pipeline, options, &module).ok());
  EXPECT_THAT(seen,
              testing::ElementsAre("after import: module \"m\" ", "before rename: module \"m\" ",
                                   "after rename: module \"m+\" "));
}

TEST(PassManagerTest, RecordsEveryStage) {
  std::vector<std::string> seen;
  ir::Module module = ParseOrDie(kText);
  const std::vector<Pass> pipeline = {kNothing, kRename, kRename};
  PipelineOptions options = {.disabled = {"nothing"}};
  options.record = [&](absl::string_view stage, const std::string& text) {
    seen.push_back(absl::StrCat(stage, ": ", text.substr(0, text.find('{'))));
  };
  ASSERT_TRUE(RunPipeline(pipeline, options, &module).ok());
  EXPECT_THAT(seen, testing::ElementsAre("import: module \"m\" ", "nothing: module \"m\" ",
                                         "rename: module \"m+\" ", "rename: module \"m++\" "));
}

}  // namespace
}  // namespace weft::passes
