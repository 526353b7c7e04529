// Chat templates are programs: no proportion to their size holds, so that steps, text, memory,
// depth and time have bounds of their own (runtime/text/jinja_context.h). Each template here costs
// much that one of them must count.
#include <gtest/gtest.h>
#include <pthread.h>

#include <string>
#include <vector>

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

struct HostileTemplate {
  std::string name;
  std::string text;
};

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
  std::printf("bounds: chat template: %s: %.1f MB of heap, %.2f s: %s\n", GetParam().name.c_str(),
              static_cast<double>(peak) / 1e6, seconds,
              status.ok() ? "OK" : std::string(status.message()).substr(0, 80).c_str());
}

std::vector<HostileTemplate> Programs() {
  return {
      {"LoopsInLoops", Repeat("{% for a in range(100000) %}", 6) + Repeat("{% endfor %}", 6)},
      {"TextThatDoubles",
       "{% set n = namespace(s='aaaaaaaa') %}{% for a in range(100) %}{% set n.s = n.s ~ n.s %}"
       "{% endfor %}"},
      {"ListsThatDouble",
       "{% set n = namespace(s=[1]) %}{% for a in range(100) %}{% set n.s = n.s + n.s %}"
       "{% endfor %}"},
      {"Output", "{% for a in range(99999) %}" + std::string(10'000, 'x') + "{% endfor %}"},
      {"Recursion", "{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}"},
      {"RecursionByTwo", "{% macro m(a) %}{{ m(a) }}{{ m(a) }}{% endmacro %}{{ m(1) }}"},
      {"LongRange", "{{ range(1000000000) | list }}"},
      {"Power", "{{ 9 ** 9 ** 9 ** 9 }}{{ 'a' * 1000000000 }}"},
      {"Padding", "{{ '%1000000000d' % 1 }}{{ 'a'.center(1000000000) }}"},
      {"Replacements", "{% set s = 'a' * 100000 %}{{ s.replace('a', s) }}"},
      {"Indentation", "{% set s = 'a\\n' * 50000 %}{{ s | indent(100000) }}"},
      {"Brackets", "{{ " + Repeat("(", 100'000) + Repeat(")", 100'000) + " }}"},
      {"Blocks", Repeat("{% if 1 %}", 100'000) + Repeat("{% endif %}", 100'000)},
      {"Chain", "{{ 1" + Repeat("+1", 100'000) + " }}"},
      {"ListsInLists",
       "{% set n = namespace(s=[1]) %}{% for a in range(10000) %}{% set n.s = [n.s] %}{% endfor "
       "%}"},
  };
}

// Names, reasons, scopes and buffers are memory too.
std::vector<HostileTemplate> Memory() {
  const std::string parameters = Names("p", 1000);
  const std::string name(50'000, 'A');
  return {
      {"NamespaceNames", "{% set d = {'a' * 16000000: 1} %}" + SetOften("namespace(d)")},
      {"AttributeNames", Often("{% set n = namespace() %}{% set n." + name + " = 1 %}")},
      {"UndefinedReasons", "{{ range(100000)|map(attribute='a' * 1000000)|list|length }}"},
      {"ArgumentNames",
       "{% set d = {'a' * 16000000: 1} %}{{ [" + Repeat("dict(**d),", 1000) + "]|length }}"},
      {"MacroNames", "{% macro " + name + "() %}{% endmacro %}{% set m = " + name +
                         " %}{{ ([m] * 100000)|map(attribute='name')|list|length }}"},
      {"CapturedScopes", "{% macro f(" + parameters +
                             ") %}{% macro g() %}{% endmacro %}{% endmacro %}" + SetOften("f()")},
      {"PathOfDots", "{{ [1]|map(attribute='.' * 16000000)|list }}"},
      {"SortPaths", "{{ []|sort(attribute=',' * 8000000) }}"},
      {"BuffersOfMacros",
       "{% set s = 'a' * 15000000 %}{% macro m() %}{{ s }}{{ m() }}{% endmacro %}{{ m() }}"},
      {"EmptyLoops", Often("{% for k in [] %}{% endfor %}")},
      {"SmallLists",
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, "
       "range(100000)|batch(1)|list] %}{% endfor %}"},
      {"RoomBehindTexts",
       "{% set a = 'a' * 4200000 %}{% set n = namespace(x=[]) %}{% for i in range(130) %}{% set t "
       "%}{{ a }}{{ 'b' }}{% endset %}{% set n.x = n.x + [t] %}{% endfor %}"},
      {"SmallUndefined",
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, "
       "range(100000)|map(attribute='a')|list] %}{% endfor %}"},
      {"PlaceAtTheStart",
       "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, ([loop] * "
       "100000)|map(attribute='cycled')|list] %}{% endfor %}"},
      {"ArgumentsOfCalls",
       "{% macro m() %}{{ m(" + Repeat("1,", 200'000) + "m()) }}{% endmacro %}{{ m() }}"},
  };
}

// What reads, compares, hashes, copies or walks takes time.
std::vector<HostileTemplate> Time() {
  const std::string long_text = "{% set s = 'a' * 16000000 %}";
  return {
      {"DateFormats", "{% set f = '\\0' ~ 'a' * 520000 %}" + SetOften("strftime_now(f)")},
      {"LastFind", long_text + SetOften("'a'.rfind(s)")},
      {"SplitFromTheRight", long_text + SetOften("'a'.rsplit(s)")},
      {"PartitionFromTheRight", long_text + SetOften("'a'.rpartition(s)")},
      {"LookupOfLongKeys",
       long_text + "{% set d = {s ~ 'b': 1} %}{% set k = s ~ 'c' %}" + SetOften("d.get(k)")},
      {"AttributeOfLongKeys",
       long_text + "{% set d = {s ~ 'b': 1} %}{% set k = s ~ 'c' %}" + SetOften("d[k]")},
      {"UndefinedKeys", long_text + SetOften("[][s]")},
      {"LongNames", SetOften(std::string(100'000, 'A') + " is defined")},
      {"NestedScopes", Repeat("{% with x = 1 %}", 60) + SetOften("[" + Repeat("zzz,", 100) + "]") +
                           Repeat("{% endwith %}", 60)},
      {"NamespaceSearch",
       [] {
         std::string text = "{% set n = namespace() %}";
         for (int i = 0; i < 20000; ++i) absl::StrAppend(&text, "{% set n.a", i, " = 1 %}");
         return text + SetOften("n.b");
       }()},
      {"Parameters", "{% macro f(" + Names("p", 1000) + ") %}{% endmacro %}" + SetOften("f()")},
      {"DoubleStar", "{% set d = {'a' * 16000000: 1} %}" + SetOften("dict(**d)")},
      {"NamedArguments", "{% macro f(" + Names("a", 60'000) + ") %}{% endmacro %}{{ f(" +
                             [] {
                               std::string text;
                               for (int i = 60'000; i-- > 0;) absl::StrAppend(&text, "a", i, "=0,");
                               return text;
                             }() +
                             ") }}"},
      {"TestsOfCase", long_text + SetOften("s is upper")},
      {"TestsOfLists", "{% set s = ['\\x01' * 4000000] %}" + SetOften("s is upper")},
      {"Slices", "{% set s = 'é' * 8000000 %}" + SetOften("s[8000000:]")},
      {"Titles", long_text + SetOften("s|title|length")},
      {"Counts", long_text + SetOften("s.count('aaa')")},
      {"Blanks", "{% set s = ' ' * 16000000 %}" + SetOften("s.rstrip()")},
      {"Numbers", "{% set s = '1' * 16000000 ~ 'x' %}" + SetOften("s|int")},
      {"JsonSeparators", long_text + SetOften("[]|tojson(separators=(s, s))")},
      {"JsonIndents", SetOften("[]|tojson(indent=16000000)")},
      {"Indents", SetOften("''|indent(16000000)")},
      {"Prefixes", "{% set t = ('a',) * 4000000 %}" + SetOften("'a'.startswith(t)")},
      {"AttributesOfTexts",
       "{% set l = ['a'] * 100000 %}" + SetOften("l|map(attribute='b')|first")},
  };
}

// Threads of hosts with small stacks.
TEST(TemplateStack, IsSmall) {
  const std::string texts[] = {
      "{% macro m(x) %}{% for a in [1] if m(x) %}{{ a }}{% endfor %}{% endmacro %}{{ m(1) }}",
      "{{ [1]|map(" + Repeat("'map',", 400) + "'upper')|list }}",
      "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
      "{% macro m(x) %}{% if 1 %}{% filter upper %}{% call m(x) %}{% endcall %}{% endfilter %}"
      "{% endif %}{% endmacro %}{{ m(1) }}",
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
    const auto render = [](void* argument) -> void* {
      const auto parsed = jinja::Template::Parse(*static_cast<const std::string*>(argument));
      if (parsed.ok()) (void)parsed->Render(nlohmann::ordered_json::object(), std::tm());
      return nullptr;
    };
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, size_t{256} << 10), 0);
    pthread_t thread = {};
    ASSERT_EQ(pthread_create(&thread, &attributes, render, const_cast<std::string*>(&text)), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
  }
}

std::string NameOf(const testing::TestParamInfo<HostileTemplate>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Programs, TemplateBounds, testing::ValuesIn(Programs()), NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, TemplateBounds, testing::ValuesIn(Memory()), NameOf);
INSTANTIATE_TEST_SUITE_P(Time, TemplateBounds, testing::ValuesIn(Time()), NameOf);

}  // namespace
}  // namespace weft::corruption
