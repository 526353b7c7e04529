#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/json_map.h"
#include "tests/corruption/plan_map.h"
#include "tests/corruption/program_rules.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;

class PlanCorruption : public testing::Test {
 protected:
  PlanCorruption()
      : folder_(absl::StrCat(testing::TempDir(), "weft-plan-corruption-", getpid())),
        path_(folder_ + "/p.weft"),
        tally_("plan", path_) {
    std::filesystem::create_directory(folder_);
  }
  ~PlanCorruption() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) const {
    // A new file each time: ext4 sends one that was cut to nothing to the disk when it is closed.
    std::filesystem::remove(folder_ + "/" + name);
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  absl::Status Open(const std::string& bytes) const {
    Write("p.weft", bytes);
    return Plan::Open(path_).status();
  }
  size_t OffsetOf(size_t part) const {
    uint64_t offset = 0;
    std::memcpy(&offset, file_.data() + kTableAt + part * kEntryBytes + kOffsetAt, sizeof offset);
    return offset;
  }
  // The header as damaged: its own rules give the verdict, where what it leads to is not changed.
  void CheckHeader(const std::string& name, const std::string& bytes,
                   const std::vector<std::string>& words = {}) {
    tally_.Check(name, bytes.size(), Open(bytes),
                 {.verdict = HasPlanTable(bytes) ? Verdict::kValid : Verdict::kRefused,
                  .words = words,
                  .offset = bytes.substr(0, 8) == "WEFTPLAN"});
  }
  // A JSON section of which every value has one type and no member may be missing or unknown.
  void CheckJson(size_t part, const std::string& what, const std::vector<std::string>& free = {});

  const std::string folder_;
  const std::string path_;
  const std::vector<PlanPart> parts_ = SmallPlan();
  const std::string file_ = WritePlan(parts_);
  Tally tally_;
};

TEST_F(PlanCorruption, TheFileItselfIsValid) {
  EXPECT_TRUE(HasPlanTable(file_));
  CheckHeader("undamaged", file_);
}

TEST_F(PlanCorruption, Truncated) {
  std::vector<size_t> sizes;
  for (size_t size = 0; size <= kTableAt + parts_.size() * kEntryBytes + 1; ++size)
    sizes.push_back(size);
  // Around where each section begins, at a page, and where its bytes end, within one.
  for (size_t i = 0; i < parts_.size(); ++i) {
    const size_t begin = OffsetOf(i);
    for (const size_t place : {begin, begin + parts_[i].bytes.size()})
      for (const int step : {-1, 0, 1, 17}) sizes.push_back(place + static_cast<size_t>(step));
  }
  std::erase_if(sizes, [&](size_t size) { return size >= file_.size(); });
  EXPECT_EQ(*std::ranges::max_element(sizes), file_.size() - 1);
  for (const size_t size : sizes) {
    const std::string cut = file_.substr(0, size);
    CheckHeader(absl::StrCat("truncated to ", size), cut);
    if (size < kTableAt) continue;
    std::string told = cut;  // by one who also changes the size that the header gives
    const auto bytes = static_cast<uint64_t>(size);
    std::memcpy(told.data() + kSizeAt, &bytes, sizeof bytes);
    CheckHeader(absl::StrCat("cut to ", size), WithMendedChecksum(told));
  }
  CheckHeader("with a byte more", file_ + "x", {"file size"});
}

// The table gives a section a byte less or more than it has, with the checksum of these bytes. Of
// program, metadata and weights that is an error; of texts, tokenizer and code, which are not read
// here, it is another text.
TEST_F(PlanCorruption, EndsOfSections) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    for (const int step : {-1, 1}) {
      const uint64_t size = parts_[i].bytes.size() + static_cast<uint64_t>(step);
      std::string damaged = file_;
      damaged.resize(std::max(damaged.size(), OffsetOf(i) + size));
      const size_t entry = kTableAt + i * kEntryBytes;
      const uint64_t sum = Checksum::Of(absl::MakeConstSpan(
          reinterpret_cast<const uint8_t*>(damaged.data()) + OffsetOf(i), size));
      const uint64_t file_size = damaged.size();
      std::memcpy(damaged.data() + entry + kBytesAt, &size, sizeof size);
      std::memcpy(damaged.data() + entry + kSumAt, &sum, sizeof sum);
      std::memcpy(damaged.data() + kSizeAt, &file_size, sizeof file_size);
      const std::string mended = WithMendedChecksum(damaged);
      EXPECT_TRUE(HasPlanTable(mended));
      const bool is_refused = parts_[i].kind <= 2 || parts_[i].kind == 7;
      tally_.Check(absl::StrCat("part ", i, " with ", step, " bytes more"), mended.size(),
                   Open(mended),
                   {.verdict = is_refused ? Verdict::kRefused : Verdict::kValid, .offset = false});
    }
  }
}

TEST_F(PlanCorruption, SizesCountsAndOffsets) {
  struct Number {
    std::string name;
    size_t at;
    int bits;
  };
  std::vector<Number> numbers = {
      {"version", kVersionAt, 32}, {"section count", kSectionsAt, 32}, {"file size", kSizeAt, 64}};
  for (size_t i = 0; i < parts_.size(); ++i) {
    const size_t at = kTableAt + i * kEntryBytes;
    for (const auto& [field, offset, bits] : {std::tuple("kind", kKindAt, 32),
                                              {"index", kIndexAt, 32},
                                              {"offset", kOffsetAt, 64},
                                              {"size", kBytesAt, 64}})
      numbers.push_back({absl::StrCat(field, " of entry ", i), at + offset, bits});
  }
  size_t unmended = 0;
  for (const Number& number : numbers) {
    uint64_t value = 0;
    std::memcpy(&value, file_.data() + number.at, static_cast<size_t>(number.bits) / 8);
    for (const uint64_t hostile : HostileNumbers(value, number.bits, file_.size())) {
      std::string damaged = file_;
      std::memcpy(damaged.data() + number.at, &hostile, static_cast<size_t>(number.bits) / 8);
      const std::string name = absl::StrCat(number.name, " = ", hostile);
      if (++unmended % 8 == 0) CheckHeader(name, damaged);  // always the same: the checksum tells
      const std::string mended = WithMendedChecksum(damaged);
      const absl::Status outcome = Open(mended);
      // A table that is as it must be leads to sections that are not: other bytes under the
      // checksum, other kinds than are needed.
      const bool is_table = HasPlanTable(mended);
      tally_.Check(name, mended.size(), outcome, {.offset = !is_table});
    }
  }
}

TEST_F(PlanCorruption, KindsTwiceAndByteOrder) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    for (const uint32_t kind : HostileTypes()) {
      if (kind == parts_[i].kind) continue;
      std::string damaged = file_;
      std::memcpy(damaged.data() + kTableAt + i * kEntryBytes, &kind, sizeof kind);
      // Of another kind: unknown, one that is there already, or one that leaves its own empty. The
      // tokenizer, the chat template and the text of the IR may be missing or of any bytes.
      const std::string mended = WithMendedChecksum(damaged);
      const bool free =
          (parts_[i].kind == 4 || parts_[i].kind == 5) && HasPlanTable(mended) && kind != 8;
      tally_.Check(
          absl::StrCat("entry ", i, " of kind ", kind), mended.size(), Open(mended),
          {.verdict = free ? Verdict::kValid : Verdict::kRefused, .offset = !HasPlanTable(mended)});
    }
    std::vector<PlanPart> twice = parts_;
    twice.push_back(parts_[i]);
    tally_.Check(absl::StrCat("part ", i, " twice"), file_.size() + 8192, Open(WritePlan(twice)),
                 {.words = {"entry 9", "repeated"}});
    std::vector<PlanPart> without = parts_;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    const bool optional = parts_[i].kind == 4 || parts_[i].kind == 5;
    tally_.Check(absl::StrCat("part ", i, " missing"), 0, Open(WritePlan(without)),
                 {.verdict = optional ? Verdict::kValid : Verdict::kRefused, .offset = false});
  }
  std::string swapped = file_;
  for (const auto& [at, size] : {std::pair(kVersionAt, 4), {kSectionsAt, 4}, {kSizeAt, 8}})
    std::reverse(swapped.begin() + static_cast<std::ptrdiff_t>(at),
                 swapped.begin() + static_cast<std::ptrdiff_t>(at) + size);
  CheckHeader("numbers big-endian", swapped, {"version"});
  for (const char* magic : {"NALPTFEW", "WEFTPART", "weftplan", "WEFTPLA\0", "\177ELF\2\1\1\0"})
    CheckHeader("magic", std::string(magic, 8) + file_.substr(8));
}

TEST_F(PlanCorruption, BytesOfSections) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    const size_t offset = OffsetOf(i);
    const size_t size = parts_[i].bytes.size();
    for (size_t at = 0; at < size; at += std::max<size_t>(1, size / 40)) {
      std::string damaged = file_;
      damaged[offset + at] = static_cast<char>(damaged[offset + at] ^ 1);
      // Weights are as large as models: they are compared when someone asks.
      const bool is_weights = parts_[i].kind == 7;
      Write("p.weft", damaged);
      const auto plan = Plan::Open(path_);
      EXPECT_EQ(plan.ok(), is_weights);
      tally_.Check(absl::StrCat("byte ", at, " of part ", i), damaged.size(),
                   plan.ok() ? (*plan)->VerifyWeights() : plan.status(),
                   {.words = {"checksum of section"}, .offset = !is_weights});
    }
  }
}

void PlanCorruption::CheckJson(size_t part, const std::string& what,
                               const std::vector<std::string>& free) {
  const Json json = Json::parse(parts_[part].bytes);
  const auto open = [&](const std::string& text) {
    std::vector<PlanPart> parts = parts_;
    parts[part].bytes = text;
    return Open(WritePlan(parts));
  };
  for (const std::string& cut : Truncations(json.dump(), 300))
    tally_.Check(absl::StrCat(what, " cut to ", cut.size()), file_.size(), open(cut),
                 {.words = {what}, .offset = !cut.empty()});
  for (const Json::json_pointer& where : ValuesOf(json)) {
    const std::string name = absl::StrCat(what, where.to_string());
    const bool is_member = json[where.parent_pointer()].is_object();
    for (const std::string& raw : Malformed()) {
      if (raw == "1,2" || raw.empty() || raw.size() > 200'000) continue;
      tally_.Check(absl::StrCat(name, " = ", raw.substr(0, 20)), file_.size() + 500'000,
                   open(With(json, where, raw)), {.words = {what}});
    }
    if (is_member) {
      tally_.Check(name + " twice", file_.size(), open(Twice(json, where)),
                   {.words = {what, where.back(), "occurs twice"}});
      tally_.Check(name + " missing", file_.size(), open(Without(json, where)),
                   {.words = {what, where.back(), "is missing"}, .offset = false});
    }
    const Json& value = json[where];
    std::vector<std::string> others = {"null",
                                       "{}",
                                       "[]",
                                       "[[]]",
                                       "true",
                                       "1.5",
                                       "\"1\"",
                                       "-1",
                                       "1e300",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "9223372036854775807",
                                       "9223372036854775808"};
    const std::string kept = value.is_string() ? "\"1\"" : value.is_boolean() ? "true" : "";
    std::erase(others, kept);
    if (value.is_array()) std::erase(others, "[]");
    const bool is_free = std::find(free.begin(), free.end(), where.to_string()) != free.end();
    for (const std::string& raw : others) {
      if (is_free && raw.find_first_not_of("-0123456789.e") == std::string::npos) continue;
      tally_.Check(absl::StrCat(name, " = ", raw), file_.size(), open(With(json, where, raw)),
                   {.words = {what}, .offset = false});
    }
  }
}

// Sums and products of sizes from the program are the executor's addresses.
TEST_F(PlanCorruption, Program) { CheckJson(0, "program"); }

TEST_F(PlanCorruption, NumbersOfTheProgram) {
  const Json json = Json::parse(parts_[0].bytes);
  ASSERT_TRUE(HasProgramNumbers(json, parts_.back().bytes.size()));
  for (const Json::json_pointer& where : ValuesOf(json)) {
    if (!json[where].is_number()) continue;
    const auto value = json[where].get<uint64_t>();
    std::vector<uint64_t> numbers = HostileNumbers(value, 64, json["arena_bytes"].get<uint64_t>());
    for (uint64_t near = 4; near <= 64; near *= 2)
      numbers.insert(numbers.end(), {value + near, value - near});
    for (const uint64_t number : numbers) {
      std::vector<PlanPart> parts = parts_;
      parts[0].bytes = With(json, where, absl::StrCat(number));
      const bool fits = HasProgramNumbers(Json::parse(parts[0].bytes), parts.back().bytes.size());
      tally_.Check(absl::StrCat("program", where.to_string(), " = ", number), file_.size(),
                   Open(WritePlan(parts)),
                   {.verdict = fits ? Verdict::kValid : Verdict::kRefused,
                    .words = {"program"},
                    .offset = false});
    }
  }
}

TEST_F(PlanCorruption, Metadata) {
  // Some numbers may be any.
  CheckJson(1, "metadata",
            {"/bos_id", "/eos_ids/0", "/eos_ids/1", "/generation/0/value", "/source/0/bytes",
             "/targets/0/cpu_features", "/targets/1/cpu_features"});
}

TEST_F(PlanCorruption, SideFiles) {
  // The same plan with its weights in two files beside it.
  Tally tally("plan side files", folder_);
  const std::string weights = parts_.back().bytes;
  const std::vector<std::string> halves = {weights.substr(0, 4096), weights.substr(4096)};
  const auto sum = [](const std::string& bytes) {
    return Checksum::Of(
        absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  };
  Json json = {{"files", Json::array()}};
  for (size_t i = 0; i < 2; ++i) {
    json["files"].push_back({{"name", absl::StrCat("p-", i, ".weftw")},
                             {"bytes", halves[i].size()},
                             {"checksum", sum(halves[i])}});
  }
  const auto side = [&](uint32_t number) {
    std::string bytes = "WEFTPART";
    const std::string& half = halves[number - 1];
    const uint64_t words[] = {number | uint64_t{2} << 32, half.size(), sum(half)};
    bytes.append(reinterpret_cast<const char*>(words), sizeof words);
    bytes.resize(4096);
    return bytes + half;
  };
  const auto write_sides = [&] {
    Write("p-0.weftw", side(1));
    Write("p-1.weftw", side(2));
  };
  const auto open = [&](const std::string& text) {
    std::vector<PlanPart> parts = parts_;
    parts.back() = {8, 0, text};
    return Open(WritePlan(parts));
  };
  write_sides();
  tally.Check("undamaged", 0, open(json.dump()), {.verdict = Verdict::kValid});
  const auto files = Json::json_pointer("/files");
  for (const size_t i : {0, 1}) {
    // Names lead nowhere but beside the plan.
    for (const char* name :
         {"\"../p-0.weftw\"", "\"/etc/passwd\"", "\"./p-0.weftw\"", "\"a/../p-0.weftw\"", "\"\"",
          "\".\"", "\"..\"", "\"p-0.weftw\\u0000\"", "\"..\\\\p-0.weftw\"", "\"p-0.weftw/\"",
          "\"no-such.weftw\"", "0", "null", "[]", "{}", "\"p.weft\""})
      tally.Check(absl::StrCat("name = ", name), 0, open(With(json, files / i / "name", name)),
                  {.offset = false});
    tally.Check("name of the other", 0,
                open(With(json, files / i / "name", absl::StrCat("\"p-", 1 - i, ".weftw\""))),
                {.offset = false});
    for (const char* field : {"bytes", "checksum"}) {
      const auto value = json[files / i / field].get<uint64_t>();
      for (const uint64_t hostile : HostileNumbers(value, 64, 8192))
        tally.Check(absl::StrCat(field, " = ", hostile), 0,
                    open(With(json, files / i / field, absl::StrCat(hostile))), {.offset = false});
      for (const char* raw :
           {"null", "-1", "1.5", "\"1\"", "[]", "{}", "true", "1e300", "18446744073709551616"})
        tally.Check(absl::StrCat(field, " = ", raw), 0, open(With(json, files / i / field, raw)),
                    {.words = {field}, .offset = false});
    }
    const std::string good = side(static_cast<uint32_t>(i) + 1);
    const std::string name = absl::StrCat("p-", i, ".weftw");
    for (size_t at = 0; at < 32; ++at) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
      Write(name, damaged);
      tally.Check(absl::StrCat("byte ", at, " of ", name), damaged.size(), open(json.dump()),
                  {.words = {name, absl::StrCat("byte ", at)}});
    }
    for (const size_t size : {size_t{0}, size_t{1}, size_t{31}, size_t{32}, size_t{4095},
                              size_t{4096}, size_t{4097}, good.size() - 1, good.size() + 1}) {
      std::string damaged = good;
      damaged.resize(size);
      Write(name, damaged);
      tally.Check(absl::StrCat(name, " of ", size), size, open(json.dump()),
                  {.words = {name}, .offset = false});
    }
    write_sides();
    std::filesystem::remove(folder_ + "/" + name);
    tally.Check(name + " missing", 0, open(json.dump()), {.words = {name}, .offset = false});
    // A folder, a device and a link to itself in the place of the file.
    std::filesystem::create_directory(folder_ + "/" + name);
    tally.Check(name + " is a folder", 0, open(json.dump()), {.words = {name}, .offset = false});
    std::filesystem::remove(folder_ + "/" + name);
    for (const std::string& target : {std::string("/dev/zero"), name}) {
      std::filesystem::create_symlink(target, folder_ + "/" + name);
      tally.Check(name + " is a link", 0, open(json.dump()), {.words = {name}, .offset = false});
      std::filesystem::remove(folder_ + "/" + name);
    }
    write_sides();
  }
}

}  // namespace
}  // namespace weft::corruption
