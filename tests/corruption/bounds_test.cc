// Memory and time in proportion to the file, whatever it holds: files that promise much, of many
// tiny entries, deep or long, at a size and at four times that size.
#include "tests/corruption/bounds.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "frontends/gguf.h"
#include "frontends/safetensors.h"
#include "ir/text.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/base/json_reader.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/plan_metadata.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/test_program.h"
#include "runtime/text/tokenizer.h"
#include "tests/corruption/heap_peak.h"
#include "tests/corruption/plan_map.h"
#include "tools/plan_diff.h"

namespace weft::corruption {
namespace {

absl::Status ReadJsonText(const std::string& file) { return ParseJson(file, "f").status(); }

TEST(Bounds, Json) {
  CheckBounds(
      "JSON: empty objects", [](size_t n) { return absl::StrCat("[", Repeat("{},", n), "{}]"); },
      ReadJsonText, 100'000);
  CheckBounds(
      "JSON: numbers", [](size_t n) { return absl::StrCat("[", Repeat("0,", n), "0]"); },
      ReadJsonText, 300'000);
  CheckBounds(
      "JSON: keys",
      [](size_t n) {
        std::string text = "{";
        for (size_t i = 0; i < n; ++i) absl::StrAppend(&text, i == 0 ? "" : ",", "\"", i, "\":0");
        return text + "}";
      },
      ReadJsonText, 50'000);
  CheckBounds(
      "JSON: a long text",
      [](size_t n) { return absl::StrCat("[\"", Repeat("a\\n\\u00e9", n), "\"]"); }, ReadJsonText,
      300'000);
  CheckBounds(
      "JSON: a long number", [](size_t n) { return absl::StrCat("[0.", Repeat("1", n), "]"); },
      ReadJsonText, 500'000);
  CheckBounds(
      "JSON: a number out of range",
      [](size_t n) { return absl::StrCat("[", Repeat("1", n), "]"); }, ReadJsonText, 500'000,
      Outcome::kRefused);
  CheckBounds(
      "JSON: brackets", [](size_t n) { return Repeat("[", n); }, ReadJsonText, 1'000'000,
      Outcome::kRefused);
  CheckBounds(
      "JSON: blanks", [](size_t n) { return absl::StrCat("{", Repeat(" ", n), "}"); }, ReadJsonText,
      1'000'000);
}

std::string Number(uint64_t value, size_t bytes = 8) {
  return std::string(reinterpret_cast<const char*>(&value), bytes);
}
std::string GgufStart(uint64_t tensors, uint64_t keys) {
  return "GGUF" + Number(3, 4) + Number(tensors) + Number(keys);
}
std::string GgufArray(uint32_t element, uint64_t count) {
  return GgufStart(0, 1) + Number(1) + "k" + Number(9, 4) + Number(element, 4) + Number(count);
}
absl::Status ReadGgufFile(const std::string& file) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(file.data());
  return ParseGguf(absl::MakeConstSpan(bytes, file.size()), "f").status();
}

TEST(Bounds, Gguf) {
  CheckBounds(
      "GGUF: keys",
      [](size_t n) {
        std::string file = GgufStart(0, n);
        for (size_t i = 0; i < n; ++i) {
          const std::string key = absl::StrCat(i);
          absl::StrAppend(&file, Number(key.size()), key, Number(0, 4), "x");
        }
        return file;
      },
      ReadGgufFile, 16'000);
  CheckBounds(
      "GGUF: empty strings", [](size_t n) { return GgufArray(8, n) + Repeat(Number(0), n); },
      ReadGgufFile, 200'000);
  CheckBounds(
      "GGUF: empty arrays",
      [](size_t n) { return GgufArray(9, n) + Repeat(Number(0, 4) + Number(0), n); }, ReadGgufFile,
      200'000);
  CheckBounds(
      "GGUF: bools", [](size_t n) { return GgufArray(7, n) + Repeat(Number(1, 1), n); },
      ReadGgufFile, 500'000);
  CheckBounds(
      "GGUF: tensors without dims",
      [](size_t n) {
        std::string file = GgufStart(n, 0);
        for (size_t i = 0; i < n; ++i) {
          const std::string name = absl::StrCat(i);
          absl::StrAppend(&file, Number(name.size()), name, Number(0, 4), Number(24, 4),
                          Number(32 * i));
        }
        return file + std::string(32 * (n + 1), '\0');
      },
      ReadGgufFile, 30'000);
  for (const uint32_t element : {0u, 7u, 8u, 9u, 12u})
    for (const int shift : {20, 32, 59, 60, 61, 63})
      CheckBounds(
          absl::StrCat("GGUF: an array that promises 2^", shift),
          [&](size_t n) { return GgufArray(element, uint64_t{1} << shift) + std::string(n, '\0'); },
          ReadGgufFile, 1000, Outcome::kRefused);
  for (const int shift : {16, 20, 32, 59, 60, 61, 63})
    CheckBounds(
        absl::StrCat("GGUF: counts that promise 2^", shift),
        [&](size_t n) {
          return GgufStart(uint64_t{1} << shift, uint64_t{1} << shift) + std::string(n, '\0');
        },
        ReadGgufFile, 1000, Outcome::kRefused);
}

absl::Status ReadSafetensorsFile(const std::string& file) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(file.data());
  return ParseSafetensorsHeader(absl::MakeConstSpan(bytes, file.size()), "f", 0).status();
}
Make Safetensors(const Make& header) {
  return [header](size_t n) {
    const std::string text = header(n);
    return Number(text.size()) + text;
  };
}

TEST(Bounds, SafetensorsHeaders) {
  CheckBounds("safetensors: empty tensors", Safetensors([](size_t n) {
                std::string text = "{";
                for (size_t i = 0; i < n; ++i)
                  absl::StrAppend(&text, i == 0 ? "" : ",", "\"", i,
                                  "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}");
                return text + "}";
              }),
              ReadSafetensorsFile, 20'000);
  CheckBounds("safetensors: metadata", Safetensors([](size_t n) {
                std::string text = "{\"__metadata__\":{";
                for (size_t i = 0; i < n; ++i)
                  absl::StrAppend(&text, i == 0 ? "" : ",", "\"", i, "\":\"\"");
                return text + "}}";
              }),
              ReadSafetensorsFile, 50'000);
  CheckBounds("safetensors: a long name", Safetensors([](size_t n) {
                return "{\"" + Repeat("a", n) +
                       "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
              }),
              ReadSafetensorsFile, 500'000);
  CheckBounds("safetensors: brackets",
              Safetensors([](size_t n) { return absl::StrCat("{\"a\":", Repeat("[", n)); }),
              ReadSafetensorsFile, 500'000, Outcome::kRefused);
  CheckBounds("safetensors: dims", Safetensors([](size_t n) {
                return absl::StrCat("{\"a\":{\"shape\":[", Repeat("1,", n), "1]}}");
              }),
              ReadSafetensorsFile, 500'000, Outcome::kRefused);
}

std::string TokenizerJson(const std::string& vocabulary, const std::string& merges,
                          const std::string& added = "", const std::string& steps = "") {
  return absl::StrCat(R"({"added_tokens":[)", added,
                      R"(],"pre_tokenizer":{"type":"Sequence","pretokenizers":[)", steps,
                      R"(]},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0)",
                      vocabulary, R"(},"merges":[)", merges, "]}}");
}
absl::Status ReadTokenizer(const std::string& file) {
  return Tokenizer::FromTokenizerJson(file, "f").status();
}

TEST(Bounds, Tokenizers) {
  CheckBounds(
      "tokenizer.json: a vocabulary",
      [](size_t n) {
        std::string vocabulary;
        for (size_t i = 1; i < n; ++i) absl::StrAppend(&vocabulary, ",\"", i, "\":", i);
        return TokenizerJson(vocabulary, "");
      },
      ReadTokenizer, 20'000);
  CheckBounds(
      "tokenizer.json: merges",
      [](size_t n) {
        std::string vocabulary;
        std::string merges;
        std::string token = "a";  // a, aa, aaa: as long as what all are made of
        for (size_t i = 1; i < 300; ++i) {
          token += "a";
          absl::StrAppend(&vocabulary, ",\"", token, "\":", i);
        }
        for (size_t i = 0; i < n; ++i)
          absl::StrAppend(&merges, i == 0 ? "" : ",", "[\"", Repeat("a", 1 + i % 150), "\",\"",
                          Repeat("a", 1 + i / 150 % 150), "\"]");
        return TokenizerJson(vocabulary, merges);
      },
      ReadTokenizer, 5'000);
  CheckBounds(
      "tokenizer.json: added tokens",
      [](size_t n) {
        std::string added;
        for (size_t i = 1; i < n; ++i)
          absl::StrAppend(&added, i == 1 ? "" : ",", "{\"id\":", i, ",\"content\":\"", i, "\"}");
        return TokenizerJson("", "", added);
      },
      ReadTokenizer, 10'000);
  CheckBounds(
      "tokenizer.json: a long text in a step",
      [](size_t n) {
        return TokenizerJson(
            "", "", "",
            "{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"String\":\"" +
                Repeat("b", n) + "\"}}");
      },
      ReadTokenizer, 300'000);
  CheckBounds(
      "tokenizer.json: more pre-tokenizers than are taken",
      [](size_t n) {
        return TokenizerJson("", "", "",
                             Repeat("{\"type\":\"Digits\"},", n) + "{\"type\":\"Digits\"}");
      },
      ReadTokenizer, 5'000, Outcome::kRefused);
  CheckBounds(
      "tokenizer.json: a token longer than is taken",
      [](size_t n) { return TokenizerJson(",\"" + Repeat("b", n) + "\":1", ""); }, ReadTokenizer,
      300'000, Outcome::kRefused);
  // Ids may leave out 65,536: the image has a place for each, whose size no file's has to do with.
  const std::string apart = TokenizerJson(",\"b\":65000", "");
  EXPECT_LE(HeapPeak([&] { EXPECT_TRUE(ReadTokenizer(apart).ok()); }), size_t{8} << 20);
  const std::string too_far = TokenizerJson(",\"b\":2000000000", "");
  EXPECT_LE(HeapPeak([&] { EXPECT_FALSE(ReadTokenizer(too_far).ok()); }), size_t{1} << 20);
}

// Of a text each byte is a symbol to begin with, with its place in two lists and a queue.
TEST(Bounds, Encoding) {
  constexpr double kBytesPerByteOfText = 128;
  std::string vocabulary;
  std::string merges;
  std::string token = "a";
  for (int i = 1; i < 12; ++i) {
    absl::StrAppend(&merges, i == 1 ? "" : ",", "[\"", token, "\",\"", token, "\"]");
    token += token;
    absl::StrAppend(&vocabulary, ",\"", token, "\":", i);
  }
  const auto tokenizer = Tokenizer::FromTokenizerJson(TokenizerJson(vocabulary, merges), "f");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  CheckBounds(
      "encoding: one letter", [](size_t n) { return Repeat("a", n); },
      [&](const std::string& text) { return tokenizer->Encode(text).status(); }, 100'000,
      Outcome::kTaken, kBytesPerByteOfText);
}

// A Llama of n layers, 4 wide.
std::string LayersAsText(size_t n) {
  std::string tensors;
  std::string nodes;
  int64_t id = 0;
  const auto add = [&](absl::string_view op, absl::string_view operands, absl::string_view type) {
    absl::StrAppend(&nodes, "%", id, " = ", op, " ", operands, " : ", type, "\n");
    return absl::StrCat("%", id++);
  };
  const auto weight = [&](const std::string& name, absl::string_view type) {
    absl::StrAppend(&tensors, "tensor \"", name, "\" : ", type, " {file=0, offset=0}\n");
    return add("weight", absl::StrCat("{tensor=\"", name, "\"}"), type);
  };
  const auto matmul = [&](const std::string& x, const std::string& name) {
    const std::string matrix = weight(name, "f32[4,4]");
    return add("matmul", absl::StrCat(x, ", ", matrix), "f32[T,4]");
  };
  const auto pair = [&](absl::string_view op, const std::string& a, const std::string& b) {
    return add(op, absl::StrCat(a, ", ", b), "f32[T,4]");
  };
  const std::string tokens = add("input", "{name=\"tokens\"}", "i32[T]");
  std::string x = pair("embed", tokens, weight("e", "f32[4,4]"));
  for (size_t layer = 0; layer < n; ++layer) {
    const std::string q = matmul(x, absl::StrCat(layer, ".q"));
    const std::string k = matmul(x, absl::StrCat(layer, ".k"));
    const std::string v = matmul(x, absl::StrCat(layer, ".v"));
    const std::string cache =
        add("kv_append", absl::StrCat(k, ", ", v, " {heads=1, layer=", layer, "}"), "f32[S,2,1,4]");
    const std::string mixed =
        add("attention", absl::StrCat(q, ", ", cache, " {scale=0.5, heads=1}"), "f32[T,4]");
    x = pair("add", x, matmul(mixed, absl::StrCat(layer, ".o")));
    const std::string gate =
        add("activate", matmul(x, absl::StrCat(layer, ".gate")) + " {fn=\"silu\"}", "f32[T,4]");
    const std::string up = matmul(x, absl::StrCat(layer, ".up"));
    x = pair("add", x, matmul(pair("mul", gate, up), absl::StrCat(layer, ".down")));
  }
  return absl::StrCat("module \"m\" {\n", tensors, nodes, "return ", x, "\n}\n");
}

TEST(Bounds, Passes) {
  CheckBounds(
      "passes: layers", LayersAsText,
      [](const std::string& text) {
        absl::StatusOr<ir::Module> module = ir::Parse(text);
        if (!module.ok()) return module.status();
        passes::PipelineOptions options;
        options.pass.context = 16;
        return passes::RunPipeline(passes::DefaultPipeline(), options, &*module).status();
      },
      100);
}

TEST(Bounds, DifferencesOfPlans) {
  const std::string folder = absl::StrCat(testing::TempDir(), "weft-bounds-", getpid());
  std::filesystem::create_directory(folder);
  const auto open = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
    auto plan = Plan::Open(folder + "/" + name);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *std::move(plan);
  };
  const auto plan = open("none", WritePlan(SmallPlan()));
  CheckBounds(
      "plan: decisions and options that differ",
      [](size_t n) {
        PlanMetadata metadata = *MetadataFromJson(SmallPlan()[1].bytes, "p");
        for (size_t i = 0; i < n; ++i) {
          metadata.decisions.push_back({absl::StrCat("w", i), "q8_0", "why"});
          metadata.options.push_back({absl::StrCat("o", i), "value"});
        }
        std::vector<PlanPart> parts = SmallPlan();
        parts[1].bytes = MetadataToJson(metadata);
        return WritePlan(parts);
      },
      [&](const std::string& file) {
        std::filesystem::remove(folder + "/some");
        EXPECT_FALSE(tools::DiffText(tools::DiffPlans(*plan, *open("some", file))).empty());
        return absl::OkStatus();
      },
      5'000);
  std::filesystem::remove_all(folder);
}

TEST(Bounds, IrText) {
  const auto read = [](const std::string& text) { return ir::Parse(text).status(); };
  CheckBounds(
      "IR: tensors",
      [](size_t n) {
        std::string text = "module \"m\" {\n";
        for (size_t i = 0; i < n; ++i)
          absl::StrAppend(&text, "tensor \"", i, "\" : f32[1] {file=0, offset=0}\n");
        return text + "%0 = input {name=\"tokens\"} : i32[T]\nreturn %0\n}\n";
      },
      read, 5'000);
  CheckBounds(
      "IR: nodes",
      [](size_t n) {
        std::string text =
            "module \"m\" {\ntensor \"e\" : f32[2,2] {file=0, offset=0}\n"
            "%0 = input {name=\"tokens\"} : i32[T]\n";
        for (size_t i = 1; i < n; ++i)
          absl::StrAppend(&text, "%", i, " = weight {tensor=\"e\"} : f32[2,2]\n");
        return text + "return %0\n}\n";
      },
      read, 5'000);
  CheckBounds(
      "IR: dims",
      [](size_t n) {
        return "module \"m\" {\ntensor \"e\" : f32[" + Repeat("1,", n) +
               "1] {file=0, offset=0}\n%0 = input {name=\"tokens\"} : i32[T]\nreturn %0\n}\n";
      },
      read, 50'000);
  CheckBounds(
      "IR: dims beyond all",
      [](size_t n) {
        return "module \"m\" {\ntensor \"e\" : f32[" + Repeat("9223372036854775807,", n) +
               "1] {file=0}\n";
      },
      read, 20'000, Outcome::kRefused);
  CheckBounds(
      "IR: a list",
      [](size_t n) {
        return "module \"m\" {\n%0 = input {name=\"tokens\"} : i32[T]\n"
               "%1 = rope_table {context=1, inv_freq=[" +
               Repeat("1.0, ", n) +
               absl::StrCat("1.0]} : f32[1,", 2 * (n + 1), "]\nreturn %0\n}\n");
      },
      read, 50'000);
  CheckBounds(
      "IR: brackets", [](size_t n) { return absl::StrCat("module \"m\" {\n", Repeat("[", n)); },
      read, 500'000, Outcome::kRefused);
}

TEST(Bounds, PlanPrograms) {
  CheckBounds(
      "plan: steps",
      [](size_t n) {
        Program program = TestProgram();
        const Step step = program.steps.front();
        program.steps.assign(n, step);
        return ProgramToJson(program);
      },
      [](const std::string& text) { return ProgramFromJson(text, "f").status(); }, 1'000);
  CheckBounds(
      "plan: decisions",
      [](size_t n) {
        PlanMetadata metadata;
        metadata.decisions.assign(n, {"w", "f", "y"});
        return MetadataToJson(metadata);
      },
      [](const std::string& text) { return MetadataFromJson(text, "f").status(); }, 5'000);
}

}  // namespace
}  // namespace weft::corruption
