// Chat templates are programs: no proportion to their size holds, so that steps, text, memory,
// depth and time have bounds of their own (runtime/text/jinja_context.h). Each template here costs
// much that one of them must count.
#include <gtest/gtest.h>
#include <pthread.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/text/jinja_template.h"
#include "tests/corruption/bounds.h"
#include "tests/corruption/heap_peak.h"

namespace weft::corruption {
namespace {

// Beyond what the template is charged: one text and its copy while it is made, and the tree.
constexpr size_t kSlackBytes = size_t{64} << 20;
// The clock's bound, and what a single step may take after it.
constexpr double kMostSeconds = 3;

// More often than there are steps.
std::string Often(absl::string_view body) {
  return absl::StrCat("{% for i in range(100000) %}{% for j in range(1000) %}", body,
                      "{% endfor %}{% endfor %}");
}
std::string SetOften(absl::string_view expression) {
  return Often(absl::StrCat("{% set x = ", expression, " %}"));
}

// name0,name1,…
std::string Names(absl::string_view name, size_t n, absl::string_view behind = "") {
  std::string result;
  for (size_t i = 0; i < n; ++i) absl::StrAppend(&result, i == 0 ? "" : ",", name, i, behind);
  return result;
}

// Which bound it meets; of some the text is cheaper than it looks, or wrong after all.
enum class End { kRenders, kError, kSteps, kMemory, kText, kStack, kDepth };

struct HostileTemplate {
  std::string name;
  End end;
  std::string text;
};

// What the message says of it. kError is none of the bounds.
bool IsEnd(End end, const absl::Status& status) {
  const auto says = [&](absl::string_view words) {
    return absl::StrContains(status.message(), words);
  };
  const bool is_exhausted = absl::IsResourceExhausted(status);
  switch (end) {
    case End::kRenders:
      return status.ok();
    case End::kError:
      return !status.ok() && !is_exhausted;
    case End::kSteps:
      return is_exhausted && says(" steps");
    case End::kMemory:
      return is_exhausted && says(" bytes of values");
    case End::kText:
      return is_exhausted && says("a text of more than ");
    case End::kStack:
      return is_exhausted && says("so deep that ");
    case End::kDepth:
      return is_exhausted && says(" deep");
  }
  return false;
}

class TemplateBounds : public testing::TestWithParam<HostileTemplate> {};

TEST_P(TemplateBounds, Hold) {
  const auto variables = nlohmann::ordered_json::object();
  absl::Status status;
  const auto run = [&] {
    const auto parsed = jinja::Template::Parse(GetParam().text);
    status = parsed.ok() ? parsed->Render(variables, std::tm()).status() : parsed.status();
  };
  double seconds = 0;
  const size_t peak = HeapPeak([&] { seconds = CpuSeconds(run, 1); });
  EXPECT_LE(peak, jinja::Limits().total_bytes + kSlackBytes);
  EXPECT_LE(seconds, kMostSeconds);
  EXPECT_LE(status.message().size(), 1000U);
  // A machine that is slow enough comes to the clock's bound first.
  EXPECT_TRUE(IsEnd(GetParam().end, status) ||
              absl::StrContains(status.message(), " s; it may not end"))
      << status;
  std::printf("bounds: chat template: %s: %.1f MB of heap, %.2f s: %s\n", GetParam().name.c_str(),
              static_cast<double>(peak) / 1e6, seconds,
              status.ok() ? "OK" : std::string(status.message()).substr(0, 80).c_str());
}

std::vector<HostileTemplate> Programs() {
  return {
      {"LoopsInLoops", End::kMemory,
       Repeat("{% for a in range(100000) %}", 6) + Repeat("{% endfor %}", 6)},
      {"TextThatDoubles", End::kText,
       "{% set n = namespace(s='aaaaaaaa') %}{% for a in range(100) %}{% set n.s = n.s ~ n.s %}"
       "{% endfor %}"},
      {"ListsThatDouble", End::kSteps,
       "{% set n = namespace(s=[1]) %}{% for a in range(100) %}{% set n.s = n.s + n.s %}"
       "{% endfor %}"},
      {"Output", End::kText,
       "{% for a in range(99999) %}" + std::string(10'000, 'x') + "{% endfor %}"},
      {"Recursion", End::kStack, "{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}"},
      {"RecursionByTwo", End::kStack,
       "{% macro m(a) %}{{ m(a) }}{{ m(a) }}{% endmacro %}{{ m(1) }}"},
      {"LongRange", End::kError, "{{ range(1000000000) | list }}"},
      {"Power", End::kError, "{{ 9 ** 9 ** 9 ** 9 }}"},
      {"Product", End::kText, "{{ 'a' * 1000000000 }}"},
      {"Padding", End::kError, "{{ '%1000000000d' % 1 }}"},
      {"Centred", End::kError, "{{ 'a'.center(1000000000) }}"},
      {"Replacements", End::kText, "{% set s = 'a' * 100000 %}{{ s.replace('a', s) }}"},
      {"Indentation", End::kText, "{% set s = 'a\\n' * 50000 %}{{ s | indent(100000) }}"},
      {"Brackets", End::kStack, "{{ " + Repeat("(", 100'000) + Repeat(")", 100'000) + " }}"},
      {"Blocks", End::kStack, Repeat("{% if 1 %}", 40'000) + Repeat("{% endif %}", 40'000)},
      {"Chain", End::kDepth, "{{ 1" + Repeat("+1", 100'000) + " }}"},
      {"ListsInLists", End::kDepth,
       "{% set n = namespace(s=[1]) %}{% for a in range(10000) %}{% set n.s = [n.s] %}{% endfor "
       "%}"},
  };
}

// Names, reasons, scopes and buffers are memory too.
std::vector<HostileTemplate> Memory() {
  const std::string parameters = Names("p", 1000);
  const std::string name(50'000, 'A');
  return {
      {"NamespaceNames", End::kSteps,
       "{% set d = {'a' * 16000000: 1} %}" + SetOften("namespace(d)")},
      {"AttributeNames", End::kSteps,
       Often("{% set n = namespace() %}{% set n." + name + " = 1 %}")},
      {"UndefinedReasons", End::kRenders,
       "{{ range(100000)|map(attribute='a' * 1000000)|list|length }}"},
      {"ArgumentNames", End::kRenders,
       "{% set d = {'a' * 16000000: 1} %}{{ [" + Repeat("dict(**d),", 1000) + "]|length }}"},
      {"MacroNames", End::kRenders,
       "{% macro " + name + "() %}{% endmacro %}{% set m = " + name +
           " %}{{ ([m] * 100000)|map(attribute='name')|list|length }}"},
      {"CapturedScopes", End::kMemory,
       "{% macro f(" + parameters + ") %}{% macro g() %}{% endmacro %}{% endmacro %}" +
           SetOften("f()")},
      {"PathOfDots", End::kMemory, "{{ [1]|map(attribute='.' * 16000000)|list }}"},
      {"SortPaths", End::kMemory, "{{ []|sort(attribute=',' * 8000000) }}"},
      {"BuffersOfMacros", End::kMemory,
       "{% set s = 'a' * 15000000 %}{% macro m() %}{{ s }}{{ m() }}{% endmacro %}{{ m() }}"},
      {"EmptyLoops", End::kMemory, Often("{% for k in [] %}{% endfor %}")},
      {"SmallLists", End::kMemory,
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, "
       "range(100000)|batch(1)|list] %}{% endfor %}"},
      {"RoomBehindTexts", End::kMemory,
       "{% set a = 'a' * 4200000 %}{% set n = namespace(x=[]) %}{% for i in range(130) %}{% set t "
       "%}{{ a }}{{ 'b' }}{% endset %}{% set n.x = n.x + [t] %}{% endfor %}"},
      {"SmallUndefined", End::kSteps,
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, "
       "range(100000)|map(attribute='a')|list] %}{% endfor %}"},
      {"PlaceAtTheStart", End::kMemory,
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, ([loop] * "
       "100000)|map(attribute='cycled')|list] %}{% endfor %}"},
      {"ArgumentsOfCalls", End::kSteps,
       "{% macro m() %}{{ m(" + Repeat("1,", 200'000) + "m()) }}{% endmacro %}{{ m() }}"},
  };
}

// What reads, compares, hashes, copies or walks takes time.
std::vector<HostileTemplate> Time() {
  const std::string long_text = "{% set s = 'a' * 16000000 %}";
  return {
      {"DateFormats", End::kSteps,
       "{% set f = '\\0' ~ 'a' * 520000 %}" + SetOften("strftime_now(f)")},
      {"LastFind", End::kSteps, long_text + SetOften("'a'.rfind(s)")},
      {"SplitFromTheRight", End::kSteps, long_text + SetOften("'a'.rsplit(s)")},
      {"PartitionFromTheRight", End::kSteps, long_text + SetOften("'a'.rpartition(s)")},
      {"LookupOfLongKeys", End::kSteps,
       long_text + "{% set d = {s ~ 'b': 1} %}{% set k = s ~ 'c' %}" + SetOften("d.get(k)")},
      {"AttributeOfLongKeys", End::kSteps,
       long_text + "{% set d = {s ~ 'b': 1} %}{% set k = s ~ 'c' %}" + SetOften("d[k]")},
      {"UndefinedKeys", End::kMemory, long_text + SetOften("[][s]")},
      {"LongNames", End::kSteps, SetOften(std::string(100'000, 'A') + " is defined")},
      {"NestedScopes", End::kSteps,
       Repeat("{% with x = 1 %}", 60) + SetOften("[" + Repeat("zzz,", 100) + "]") +
           Repeat("{% endwith %}", 60)},
      {"NamespaceSearch", End::kSteps,
       [] {
         std::string text = "{% set n = namespace() %}";
         for (int i = 0; i < 20000; ++i) absl::StrAppend(&text, "{% set n.a", i, " = 1 %}");
         return text + SetOften("n.b");
       }()},
      {"Parameters", End::kMemory,
       "{% macro f(" + Names("p", 1000) + ") %}{% endmacro %}" + SetOften("f()")},
      {"DoubleStar", End::kSteps, "{% set d = {'a' * 16000000: 1} %}" + SetOften("dict(**d)")},
      {"NamedArguments", End::kRenders,
       "{% macro f(" + Names("a", 60'000) + ") %}{% endmacro %}{{ f(" +
           [] {
             std::string text;
             for (int i = 60'000; i-- > 0;) absl::StrAppend(&text, "a", i, "=0,");
             return text;
           }() +
           ") }}"},
      {"TestsOfCase", End::kSteps, long_text + SetOften("s is upper")},
      {"TestsOfLists", End::kSteps, "{% set s = ['\\x01' * 4000000] %}" + SetOften("s is upper")},
      {"Slices", End::kSteps, "{% set s = 'é' * 8000000 %}" + SetOften("s[8000000:]")},
      {"Titles", End::kSteps, long_text + SetOften("s|title|length")},
      {"Counts", End::kSteps, long_text + SetOften("s.count('aaa')")},
      {"Blanks", End::kSteps, "{% set s = ' ' * 16000000 %}" + SetOften("s.rstrip()")},
      {"Numbers", End::kSteps, "{% set s = '1' * 16000000 ~ 'x' %}" + SetOften("s|int")},
      {"JsonSeparators", End::kMemory, long_text + SetOften("[]|tojson(separators=(s, s))")},
      {"JsonIndents", End::kMemory, SetOften("[]|tojson(indent=16000000)")},
      {"Indents", End::kMemory, SetOften("''|indent(16000000)")},
      {"Prefixes", End::kSteps, "{% set t = ('a',) * 4000000 %}" + SetOften("'a'.startswith(t)")},
      {"AttributesOfTexts", End::kMemory,
       "{% set l = ['a'] * 100000 %}" + SetOften("l|map(attribute='b')|first")},
  };
}

// Threads of hosts with small stacks.
TEST(TemplateStack, IsSmall) {
  const std::string texts[] = {
      "{% macro m(x) %}{% for a in [1] if m(x) %}{{ a }}{% endfor %}{% endmacro %}{{ m(1) }}",
      "{{ ['a']|map(" + Repeat("'map',", 400) + "'upper')|list }}",
      "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
      absl::StrCat(
          "{% macro m(x) %}{% if caller is defined or 1 %}{% filter upper %}{% call m(x) %}",
          "{% endcall %}{% endfilter %}{% endif %}{% endmacro %}{{ m(1) }}"),
      "{% macro m(x) %}{{ " + Repeat("(", 20) + "[{'a': (m(x) ~ 'a')|upper}]" + Repeat(")", 20) +
          " }}{% endmacro %}{{ m(1) }}",
      "{{ " + Repeat("(", 1000) + "1" + Repeat(")", 1000) + " }}",
      "{{ " + Repeat("[{1:", 1000) + "1" + Repeat("}]", 1000) + " }}",
      "{{ " + Repeat("not -", 1000) + "1 }}",
      "{{ 1" + Repeat("|abs", 190) + " }}",
      Repeat("{% if 1 %}", 1000) + Repeat("{% endif %}", 1000),
      "{% for " + Repeat("(", 150) + "a" + Repeat(",)", 150) + " in 'a' %}{% endfor %}",
  };
  for (const std::string& text : texts) {
    struct Work {
      const std::string& text;
      absl::Status status;
    } work = {text, absl::OkStatus()};
    const auto render = [](void* argument) -> void* {
      auto* const its = static_cast<Work*>(argument);
      const auto parsed = jinja::Template::Parse(its->text);
      its->status = parsed.ok()
                        ? parsed->Render(nlohmann::ordered_json::object(), std::tm()).status()
                        : parsed.status();
      return nullptr;
    };
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, size_t{256} << 10), 0);
    pthread_t thread = {};
    ASSERT_EQ(pthread_create(&thread, &attributes, render, &work), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    // Filters one after the other are no deeper than their chain.
    EXPECT_TRUE(IsEnd(End::kStack, work.status) || IsEnd(End::kDepth, work.status) ||
                (work.status.ok() && absl::StrContains(text, "|abs|abs")))
        << text.substr(0, 100) << ": " << work.status;
  }
}

std::string NameOf(const testing::TestParamInfo<HostileTemplate>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Programs, TemplateBounds, testing::ValuesIn(Programs()), NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, TemplateBounds, testing::ValuesIn(Memory()), NameOf);
INSTANTIATE_TEST_SUITE_P(Time, TemplateBounds, testing::ValuesIn(Time()), NameOf);

}  // namespace
}  // namespace weft::corruption
