#include "runtime/text/jinja_filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(Filters, AreFoundByName) {
  EXPECT_TRUE(HasFilter("trim"));
  EXPECT_TRUE(HasFilter("selectattr"));
  EXPECT_FALSE(HasFilter("nope"));
}

TEST(Filters, AnUnknownOneIsNamed) {
  TestContext t;
  const auto result = ApplyFilter(t.context, "xmlattr", Int(1), {});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(result.status().message(), "the filter 'xmlattr' is not supported");
}

TEST(Filters, NestedMapsEnd) {
  // Each `map` applies the next one to the one character of a text, again and again.
  TestContext t;
  Arguments arguments;
  for (int i = 0; i < 20000; ++i) arguments.positional.push_back(Text("map"));
  EXPECT_EQ(ApplyFilter(t.context, "map", Text("a"), arguments).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft::jinja
