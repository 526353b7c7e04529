#include "runtime/plan/program_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/plan/test_program.h"

namespace weft {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(ProgramJson, RoundTrip) {
  const Program program = TestProgram();
  const absl::StatusOr<Program> read = ProgramFromJson(ProgramToJson(program), "p.weft");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, program);
}

// Every scalar of the document, replaced by a value of another type or removed, is refused: no
// field is read leniently or forgotten.
TEST(ProgramJson, EveryFieldIsNeededAndTyped) {
  const json document = json::parse(ProgramToJson(TestProgram()));
  const json flat = document.flatten();
  int fields = 0;
  for (auto entry = flat.begin(); entry != flat.end(); ++entry) {
    const json::json_pointer where(entry.key());
    json wrong = document;
    wrong[where] = json::array({1.5});
    EXPECT_FALSE(ProgramFromJson(wrong.dump(), "p.weft").ok()) << entry.key();
    json missing = document;
    missing[where.parent_pointer()].erase(where.back());
    EXPECT_FALSE(ProgramFromJson(missing.dump(), "p.weft").ok()) << entry.key();
    ++fields;
  }
  EXPECT_GT(fields, 80);
}

TEST(ProgramJson, NamesWhatIsWrong) {
  struct Case {
    const char* pointer;
    json value;
    const char* message;
  };
  const Case cases[] = {
      {"/steps/1/operands/1/space", "disk",
       "p.weft: program.steps[1].operands[1]: 'space' has no known value: 'disk'"},
      {"/steps/2/extent", "", "p.weft: program.steps[2]: 'extent' has no known value"},
      {"/steps/2/units", 0, "p.weft: program: units of step 2 'lm_head' is 0"},
      {"/steps/2/colour", 0, "p.weft: program.steps[2]: field 'colour' is unknown"},
      {"/steps/0/operands/1/offset", 18446744073709551612u, "operand 1 of step 0"},
      {"/arena_bytes", -1, "p.weft: program: 'arena_bytes' is no integer"},
  };
  for (const Case& c : cases) {
    json document = json::parse(ProgramToJson(TestProgram()));
    document[json::json_pointer(c.pointer)] = c.value;
    const absl::StatusOr<Program> read = ProgramFromJson(document.dump(), "p.weft");
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(c.message));
  }
  EXPECT_FALSE(ProgramFromJson("", "p.weft").ok());
}

}  // namespace
}  // namespace weft
