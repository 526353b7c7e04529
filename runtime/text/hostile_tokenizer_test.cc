// Tokenizer files made to take long, or much memory: each ends soon, in an error or with tokens.
// Times are CPU times of this thread, against bounds that a loaded machine keeps; what was seen
// before the mends is behind each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/thread_clock.h"
#include "runtime/text/pre_tokenizer_regex.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_image.h"
#include "runtime/text/tokenizer_json.h"

namespace weft {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

template <typename Body>
double SecondsOf(const Body& body) {
  const double begin = ThreadSeconds();
  body();
  return ThreadSeconds() - begin;
}

std::string Repeat(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

json Bpe(const std::vector<std::string>& tokens) {
  json vocab = json::object();
  for (size_t i = 0; i < tokens.size(); ++i) vocab[tokens[i]] = i;
  return {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array()}};
}

json File(const json& parts) {
  json file = {{"model", Bpe({"a", "b", "x"})}};
  file.update(parts);
  return file;
}

absl::StatusOr<Tokenizer> Make(const json& parts) {
  return Tokenizer::FromTokenizerJson(File(parts).dump(), "t.json");
}

// The error of making the tokenizer or of encoding the text, or "".
std::string ErrorOf(const json& parts, const std::string& text = "a") {
  const absl::StatusOr<Tokenizer> tokenizer = Make(parts);
  if (!tokenizer.ok()) return absl::StrCat("refused: ", tokenizer.status().message());
  const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode(text);
  return ids.ok() ? "" : std::string(ids.status().message());
}

json Steps(const char* list, const json& step, size_t count) {
  return {{"type", "Sequence"}, {list, json(count, step)}};
}

json Replace(const json& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

json Split(const json& pattern) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
}

json Added(size_t id, const std::string& content, bool normalized) {
  return {{"id", id},        {"content", content},   {"special", false},        {"lstrip", false},
          {"rstrip", false}, {"single_word", false}, {"normalized", normalized}};
}

// Half a million steps from each place in a's.
constexpr char kManySteps[] = "(?:a|a){18}c|X";

absl::Status FindAll(const char* pattern, const std::string& text, double seconds) {
  const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) return regex.status();
  std::vector<TextRange> matches;
  TextBudget budget(1 << 20, seconds);
  return regex->FindAll(text, budget, &matches);
}

// One call of the engine tries them all: 1.3 s.
TEST(HostileRegex, ManyStepsFromEachOfAFewPlaces) {
  absl::Status status;
  const double seconds =
      SecondsOf([&] { status = FindAll(kManySteps, std::string(255, 'a') + "X", 0.1); });
  EXPECT_THAT(std::string(status.message()), HasSubstr("took too long"));
  EXPECT_LT(seconds, 0.6);
}

// The engine counts a step for each possessive run, and one for each turn of the loop: 10^10 bytes
// from the first place alone.
TEST(HostileRegex, LongLooksInOneAttempt) {
  for (const char* pattern : {"(?:(?=[^z]*+)a)*+[bc]", "(?:a(?=[^z]*+))*+[bc]|d"}) {
    absl::Status status;
    const double seconds =
        SecondsOf([&] { status = FindAll(pattern, std::string(100'000, 'a'), 0.1); });
    EXPECT_THAT(std::string(status.message()), HasSubstr("took too long")) << pattern;
    EXPECT_LT(seconds, 0.6) << pattern;
  }
}

// A class beyond Latin-1 is looked through from its first item to its last, for each character: 25
// µs for 20,000 of them, seen again by each of 60 looks from each place. It did not end in 96 s.
TEST(HostileRegex, LargeClasses) {
  const auto pattern = [](int items) {
    std::string letters;
    for (int i = 0; i < items; ++i) {
      const char32_t code = 0x100 + 2 * (i % 768);
      letters += {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 63))};
    }
    return absl::StrCat("(?=([", letters, "\u4e2d]*))", Repeat("(?=(?1))", 60), "\u4e2d\u4e2dy|z");
  };
  const std::string text = Repeat(Repeat("\u4e2d", 170) + "b", 100);
  EXPECT_THAT(std::string(FindAll(pattern(8'000).c_str(), text, 0.1).message()),
              HasSubstr("the most is 16384"));
  for (const int items : {100, 300, 4'000}) {
    absl::Status status;
    const double seconds = SecondsOf([&] { status = FindAll(pattern(items).c_str(), text, 0.1); });
    EXPECT_THAT(std::string(status.message()), HasSubstr("took too long")) << items;
    EXPECT_LT(seconds, 1.2) << items;
  }
}

// Each cluster of flags looks at all flags before it, and each place back over the lookbehind.
TEST(HostileRegex, LooksBack) {
  EXPECT_THAT(std::string(FindAll(R"(\X*+y|z)", "a", 1).message()), HasSubstr("\\X"));
  EXPECT_THAT(std::string(FindAll("(?<=.{256})a", "a", 1).message()),
              HasSubstr("looks back by 256 characters; the most is 255"));
  EXPECT_TRUE(FindAll("(?<=.{255})a", "a", 1).ok());
}

// A lookbehind that puts the match's beginning before where the search began: without end, or
// pieces twice.
TEST(HostileRegex, MatchesDoNotGoBack) {
  EXPECT_THAT(std::string(FindAll(R"((?<=(?1))(?:)|(?!)(\Kab))", "abab", 1).message()),
              HasSubstr("\\K"));
  EXPECT_TRUE(FindAll(R"(\\K)", "a\\Kb", 1).ok()) << "a backslash, then the letter";
}

// Ranges over all of Unicode, each looked through for other cases: 1 s.
TEST(HostileRegex, WideRangesWithoutCase) {
  for (const char* flag : {"(?i)", "(?xi:a)", "(?^i)", "(?-x:a)(?m-s)(?is)"}) {
    for (const char* range : {"[ -\U0010ffff]", "[\\x{20}-\\x{10FFFF}]", "[^\\x01-\U0010ffff]"}) {
      absl::Status status;
      const double seconds =
          SecondsOf([&] { status = Regex::Compile(flag + Repeat(range, 200)).status(); });
      EXPECT_THAT(std::string(status.message()), HasSubstr("without case")) << flag << range;
      EXPECT_LT(seconds, 0.2) << flag << range;
    }
  }
  EXPECT_TRUE(Regex::Compile("(?i)" + Repeat("[a-z0-9\u00c0-\u00d6\u00d8-\u0237]", 50)).ok());
  EXPECT_TRUE(Regex::Compile(Repeat("[ -\U0010ffff]", 50)).ok()) << "with case they cost nothing";
}

TEST(HostileRegex, PatternsOfAFileTogether) {
  const std::string wide = "(?i)[ -\U0010ffff]";
  const std::string many = "(?:" + Repeat("a|", 2000) + "b)";
  for (const char* list : {"normalizers", "pretokenizers", "decoders"}) {
    const bool splits = std::string(list) == "pretokenizers";
    const std::string part = splits                            ? "pre_tokenizer"
                             : list == std::string("decoders") ? "decoder"
                                                               : "normalizer";
    for (const std::string& pattern : {wide, many}) {
      const json step = splits ? Split({{"Regex", pattern}}) : Replace({{"Regex", pattern}}, "");
      EXPECT_EQ(ErrorOf({{part, step}}), "");
      EXPECT_THAT(ErrorOf({{part, Steps(list, step, 60)}}),
                  HasSubstr(absl::StrCat("refused: t.json: ", part, ".", list, "[")));
    }
  }
}

// A budget for each piece: 13 s for ten tokens, 1.3 s for one.
TEST(HostileDecoder, SlowPatterns) {
  const absl::StatusOr<Tokenizer> tokenizer =
      Make({{"model", Bpe({std::string(255, 'a')})},
            {"decoder", Replace({{"Regex", kManySteps}}, "x")}});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text;
  EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(std::vector<int32_t>(10, 0), false); }), 2);
  EXPECT_EQ(text, std::string(2550, 'a')) << "tokens stay as they are";
  StreamDecoder decoder(*tokenizer, false);
  EXPECT_LT(SecondsOf([&] {
              for (int i = 0; i < 10; ++i) (void)decoder.Add(0);
            }),
            2);
  EXPECT_LT(SecondsOf([&] { text = tokenizer->TokenBytes(0); }), 0.5);
}

// 64 KiB for each token.
TEST(HostileDecoder, MuchOfEachToken) {
  const std::vector<int32_t> ids(2000, 0);
  for (const json& decoder : {Replace({{"String", "a"}}, std::string(60'000, 'x')),
                              json{{"type", "Sequence"},
                                   {"decoders",
                                    {Replace({{"String", "a"}}, std::string(60'000, 'x')),
                                     Replace({{"Regex", "x+"}}, "y")}}}}) {
    const absl::StatusOr<Tokenizer> tokenizer = Make({{"decoder", decoder}});
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    std::string text;
    EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(ids, false); }), 0.2);
    EXPECT_LE(text.size(), (64 << 10) + 64 * ids.size());
    EXPECT_EQ(text.back(), 'a') << "tokens beyond the bound stay as they are";
  }
}

// Each token's blanks were looked at again with the next: 6 s.
TEST(HostileDecoder, HeldBlanks) {
  const absl::StatusOr<Tokenizer> tokenizer =
      Make({{"model", Bpe({std::string(1000, ' '), "a"})},
            {"decoder",
             {{"type", "Sequence"},
              {"decoders",
               {{{"type", "Fuse"}},
                {{"type", "Strip"}, {"content", " "}, {"start", 0}, {"stop", 2147483647}}}}}}});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<int32_t> ids(5000, 0);
  std::string text;
  EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(ids, false); }), 0.5);
  EXPECT_EQ(text, "");
  ids.push_back(1);
  ids.push_back(0);
  EXPECT_EQ(tokenizer->Decode(ids, false), std::string(5'000'000, ' ') + "a");
}

template <typename T>
void Append(const std::vector<T>& values, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// A tokenizer image whose tokens make up the text, as a plan would carry it.
std::string Image(const std::string& text, const std::vector<int32_t>& pieces,
                  const std::vector<AddedEntry>& added, const json& settings = json::object()) {
  json all = {{"merging", "ranked"}, {"normalizer", nullptr},   {"pre_tokenizer", nullptr},
              {"decoder", nullptr},  {"prefix", json::array()}, {"suffix", json::array()}};
  all.update(settings);
  const std::string dumped = all.dump();
  TokenizerImageHeader header = {};
  header.magic = kTokenizerMagic;
  header.version = kTokenizerVersion;
  // Each as long as may be.
  std::vector<uint32_t> offsets = {0};
  while (offsets.back() < text.size()) {
    offsets.push_back(
        static_cast<uint32_t>(std::min<size_t>(text.size(), offsets.back() + kMaxTokenBytes)));
  }
  header.tokens = static_cast<uint32_t>(offsets.size() - 1);
  header.text_bytes = static_cast<uint32_t>(text.size());
  header.piece_slots = static_cast<uint32_t>(pieces.size());
  header.merge_slots = 2;
  header.added = static_cast<uint32_t>(added.size());
  header.longest_piece = 1;
  header.json_bytes = static_cast<uint32_t>(dumped.size());
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  Append(std::vector<int32_t>(256, -1), &bytes);
  Append(offsets, &bytes);
  Append(pieces, &bytes);
  Append(std::vector<int32_t>{-1, -1}, &bytes);
  Append(added, &bytes);
  return bytes + std::string(header.tokens, '\1') + text + dumped;
}

std::string ErrorOfImage(const std::string& image) {
  return std::string(Tokenizer::FromImage(image, nullptr, "p.weft").status().message());
}

// Entries of 24 bytes, each of which takes all of the text: gigabytes.
TEST(HostileImage, AddedTokensThatOverlap) {
  const std::string text = Repeat("abcdefgh", 8192);
  const auto image = [&](uint32_t content, uint32_t pattern, uint32_t count) {
    std::vector<AddedEntry> added;
    for (uint32_t i = 0; i < count; ++i) added.push_back({0, 0, i, content, i * 8, pattern});
    return Image(text, {-1, -1}, added);
  };
  EXPECT_EQ(ErrorOfImage(image(3, 3, 100)), "");
  EXPECT_THAT(ErrorOfImage(image(60'000, 3, 1)),
              HasSubstr("p.weft: tokenizer: added token 0 is damaged"));
  EXPECT_THAT(ErrorOfImage(image(4096, 3, 1000)), HasSubstr("added tokens"));
  EXPECT_THAT(ErrorOfImage(image(1, 4096, 1000)), HasSubstr("added tokens"));
}

// No place in the table ends a search: 2 ms for each character that is no piece.
TEST(HostileImage, FullTables) {
  EXPECT_EQ(ErrorOfImage(Image("a", std::vector<int32_t>{0, -1}, {})), "");
  EXPECT_THAT(ErrorOfImage(Image("a", std::vector<int32_t>(1 << 16, 0), {})),
              HasSubstr("in a row"));
  std::vector<int32_t> nearly(1 << 16, 0);
  nearly[77] = -1;
  EXPECT_THAT(ErrorOfImage(Image("a", nearly, {})), HasSubstr("in a row"));
  std::vector<int32_t> round(1 << 16, -1);  // a run from the last slots on to the first
  for (size_t i = 0; i < 600; ++i) round[i] = round[round.size() - 1 - i] = 0;
  EXPECT_THAT(ErrorOfImage(Image("a", round, {})), HasSubstr("in a row"));
}

TEST(HostileImage, IdsAroundTheText) {
  EXPECT_THAT(ErrorOfImage(Image("a", {-1, -1}, {}, {{"prefix", json(1000, 0)}})),
              HasSubstr("around the text"));
}

// Texts of 8 bytes whose search in a table of `slots` begins at slot 0.
std::vector<std::string> Colliding(size_t count, uint64_t slots) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15;
  uint64_t inverse = kFactor;
  for (int i = 0; i < 6; ++i) inverse *= 2 - kFactor * inverse;
  std::vector<std::string> texts;
  for (uint64_t k = 0; texts.size() < count; ++k) {
    const uint64_t high = k * 0xD1342543DE82EF95 & ~(slots - 1);
    const uint64_t word = ((high | (high >> 32 & (slots - 1))) * inverse) ^ (8 * kFactor);
    std::string text(8, '\0');
    std::memcpy(text.data(), &word, 8);
    bool printable = true;
    for (const char c : text) printable = printable && c > ' ' && c < '\x7f';
    if (printable) texts.push_back(text);
  }
  return texts;
}

// 200,000 of them, in 3.5 MB of file, took minutes to place.
TEST(HostileVocabulary, PiecesThatCollide) {
  const std::vector<std::string> few = Colliding(100, 256);
  EXPECT_EQ(PieceSlot(few.back(), 256), 0U);
  EXPECT_EQ(ErrorOf({{"model", Bpe(few)}}), "");
  EXPECT_THAT(ErrorOf({{"model", Bpe(Colliding(2000, 4096))}}), HasSubstr("refused: t.json: "));
  // What a tokenizer may well have does not.
  std::vector<std::string> regular;
  for (int i = 0; i < 100'000; ++i) regular.push_back(absl::StrFormat("%08x", i));
  EXPECT_EQ(ErrorOf({{"model", Bpe(regular)}}), "");
}

// 10^8 ids around each text, of a file of 260 KB.
TEST(HostileTemplate, IdsTimesNames) {
  const auto with = [](size_t names, size_t ids) {
    json single = json(names, {{"SpecialToken", {{"id", "a"}, {"type_id", 0}}}});
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    return ErrorOf({{"post_processor",
                     {{"type", "TemplateProcessing"},
                      {"single", single},
                      {"special_tokens", {{"a", {{"ids", json(ids, 0)}}}}}}}});
  };
  EXPECT_EQ(with(4, 16), "");
  EXPECT_THAT(with(5, 13), HasSubstr("refused: t.json: post_processor"));
  const json one = {{"type", "TemplateProcessing"},
                    {"single", json::array({{{"SpecialToken", {{"id", "a"}}}}})},
                    {"special_tokens", {{"a", {{"ids", json(40, 0)}}}}}};
  EXPECT_EQ(ErrorOf({{"post_processor", Steps("processors", one, 1)}}), "");
  EXPECT_THAT(ErrorOf({{"post_processor", Steps("processors", one, 2)}}),
              HasSubstr("post_processor.processors[1]"));
  std::string error;
  EXPECT_LT(SecondsOf([&] { error = with(1000, 20'000); }), 1);
  EXPECT_THAT(error, HasSubstr("refused: t.json: post_processor"));
}

// 14 s of CPU time for 3 MB, by comparing all of the pattern at each byte.
TEST(HostileSteps, StringsThatNearlyMatchEverywhere) {
  const std::string text(1'500'000, 'a');
  const json pattern = {{"String", std::string(700'000, 'a') + "b"}};
  std::string error;
  EXPECT_LT(SecondsOf([&] { error = ErrorOf({{"normalizer", Replace(pattern, "")}}, text); }), 1);
  EXPECT_EQ(error, "");
  EXPECT_LT(SecondsOf([&] { error = ErrorOf({{"pre_tokenizer", Split(pattern)}}, text); }), 1);
  EXPECT_EQ(error, "");
}

// 48 us a byte.
TEST(HostileSteps, AddedTokensThatNearlyMatchEverywhere) {
  const std::string text(100'000, 'a');
  for (const bool normalized : {false, true}) {
    for (const auto& added : {json::array({Added(3, std::string(4095, 'a') + "b", normalized)}),
                              json::array({Added(3, std::string(4095, 'a') + "b", normalized),
                                           Added(4, "a", normalized)})}) {
      std::string error;
      EXPECT_LT(SecondsOf([&] { error = ErrorOf({{"added_tokens", added}}, text); }), 1);
      EXPECT_EQ(error, "");
    }
  }
}

// A piece of k characters that comes apart into one of k - 1 and a character: k^3 of work for each.
TEST(HostileSteps, UnusedPiecesInAChain) {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "a"};
  vocabulary.scores = {0, 0};
  vocabulary.token_types = {2, 1};
  for (int k = 2; k <= 800; ++k) {
    vocabulary.tokens.emplace_back(k, 'a');
    vocabulary.scores.push_back(static_cast<float>(k));
    vocabulary.token_types.push_back(5);
  }
  vocabulary.add_bos = false;
  vocabulary.add_space_prefix = false;
  const absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromGgufVocabulary(vocabulary, "m.gguf");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text(80'000, 'a');
  absl::StatusOr<std::vector<int32_t>> ids;
  EXPECT_LT(SecondsOf([&] { ids = tokenizer->Encode(text); }), 3);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(*ids, std::vector<int32_t>(text.size(), 1));
}

// No pattern among them, so that nothing looked at a clock; and a string for each digit.
TEST(HostileSteps, WordsOfEveryByte) {
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const json many = Replace({{"String", "a"}}, std::string(31, '1'));
  const std::string text(20'000, 'a');
  EXPECT_THAT(ErrorOf({{"normalizer", many}, {"pre_tokenizer", digits}}, text),
              HasSubstr("the tokenizer makes more than"));
  std::string error;
  EXPECT_LT(SecondsOf([&] {
              error = ErrorOf({{"pre_tokenizer", Steps("pretokenizers", digits, 64)}},
                              std::string(100'000, '1'));
            }),
            3.5);
  EXPECT_EQ(ErrorOf({{"pre_tokenizer", digits}}, std::string(100'000, '1')), "");
}

// What a step makes and the next takes away is not in the text; its time is.
TEST(HostileSteps, TextThatComesAndGoes) {
  json normalizers = json::array();
  for (int i = 0; i < 32; ++i) {
    normalizers.push_back({{"type", "Prepend"}, {"prepend", std::string(100'000, ' ')}});
    normalizers.push_back({{"type", "Strip"}});
  }
  std::string error;
  EXPECT_LT(SecondsOf([&] {
              error = ErrorOf({{"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
                               {"added_tokens", {Added(1, "b", false)}}},
                              Repeat("ab", 1000));
            }),
            3);
  EXPECT_THAT(error, HasSubstr("took too long"));
}

// Each added token began 65,535 ids behind the one before: 2 million places in a file of 2 KB.
TEST(HostileVocabulary, HolesAreCountedOnce) {
  const auto with = [](size_t distance, size_t count) {
    json added = json::array();
    for (size_t i = 1; i <= count; ++i)
      added.push_back(Added(3 + distance * i, absl::StrCat("<", i, ">"), false));
    return ErrorOf({{"added_tokens", added}});
  };
  EXPECT_EQ(with(1, 31), "");
  EXPECT_EQ(with(60'000, 1), "");
  EXPECT_THAT(with(60'000, 3), HasSubstr("refused: t.json: added_tokens["));
}

// Patterns that the normaliser enlarges, each byte of which is a place of the search.
TEST(HostileVocabulary, NormalizedPatterns) {
  json added = json::array();
  for (size_t i = 0; i < 300; ++i)
    added.push_back(Added(3 + i, absl::StrCat(i) + std::string(1300, 'a'), true));
  EXPECT_EQ(ErrorOf({{"added_tokens", added}}), "");
  EXPECT_THAT(ErrorOf({{"added_tokens", added}, {"normalizer", Replace({{"String", "a"}}, "bcd")}}),
              HasSubstr("refused: t.json: added_tokens["));
}

}  // namespace
}  // namespace weft
