#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "frontends/gguf.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/gguf_map.h"

namespace weft::corruption {
namespace {

constexpr const char* kFile = "folder/m.gguf";

absl::Status Outcome(absl::string_view bytes) {
  const auto* const data = reinterpret_cast<const uint8_t*>(bytes.data());
  return ParseGguf(absl::MakeConstSpan(data, bytes.size()), kFile).status();
}

class GgufCorruption : public testing::TestWithParam<uint32_t> {
 protected:
  // Damaged in some way: the second reader's verdict is the one to reach. Before the first field
  // after the version is read there is nothing to give an offset of.
  void Check(const std::string& name, absl::string_view bytes,
             const std::vector<std::string>& words = {}, bool offset = true) {
    const bool valid = IsGguf(bytes);
    tally_.Check(name, bytes.size(), Outcome(bytes),
                 {.verdict = valid ? Verdict::kValid : Verdict::kRefused,
                  .words = words,
                  .offset = offset && bytes.size() > 4 && bytes.substr(0, 4) == "GGUF"});
  }
  // With one field's bytes replaced.
  std::string With(const Field& field, absl::string_view bytes) const {
    std::string changed = image_.bytes;
    changed.replace(field.offset, field.size, bytes.data(), bytes.size());
    return changed;
  }
  template <typename T>
  std::string WithNumber(const Field& field, T value) const {
    EXPECT_EQ(field.size, sizeof value);
    return With(field, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  std::string NameOf(const Field& field, const std::string& what) const {
    return absl::StrCat(field.owner, " at ", field.offset, ": ", what);
  }

  const GgufImage image_ = WriteGguf(GetParam());
  Tally tally_{absl::StrCat("gguf v", GetParam()), kFile};
};

TEST_P(GgufCorruption, TheFileItselfIsValid) {
  EXPECT_TRUE(IsGguf(image_.bytes));
  Check("undamaged", image_.bytes);
  EXPECT_TRUE(Outcome(image_.bytes).ok()) << Outcome(image_.bytes);
  uint64_t end = 0;  // the map covers every byte
  for (const Field& field : image_.fields) {
    EXPECT_EQ(field.offset, end);
    end += field.size;
  }
  EXPECT_EQ(end, image_.bytes.size());
}

TEST_P(GgufCorruption, Truncated) {
  for (size_t size = 0; size < image_.bytes.size(); ++size)
    Check(absl::StrCat("truncated to ", size), image_.bytes.substr(0, size));
  for (const size_t more : {1, 31, 64, 4096})
    Check(absl::StrCat("with ", more, " bytes more"), image_.bytes + std::string(more, 'x'));
}

TEST_P(GgufCorruption, SizesCountsAndOffsets) {
  for (const Field& field : image_.fields) {
    const bool is_64_bits = field.kind == FieldKind::kCount || field.kind == FieldKind::kLength ||
                            field.kind == FieldKind::kDim || field.kind == FieldKind::kOffset;
    if (!is_64_bits && field.kind != FieldKind::kDims) continue;
    uint64_t value = 0;
    std::memcpy(&value, image_.bytes.data() + field.offset, field.size);
    for (const uint64_t hostile :
         HostileNumbers(value, is_64_bits ? 64 : 32, image_.bytes.size())) {
      const std::string bytes = is_64_bits ? WithNumber(field, hostile)
                                           : WithNumber(field, static_cast<uint32_t>(hostile));
      // What cannot be true of the bytes that follow is seen where it stands; a smaller or slightly
      // larger number moves what follows, which is seen there.
      std::vector<std::string> words;
      if (hostile > image_.bytes.size()) words.push_back(field.owner);
      // Of two tensors that overlap, or have a hole between them, the message names both.
      if (field.kind == FieldKind::kDim || field.kind == FieldKind::kOffset)
        words.push_back(field.owner.substr(field.owner.find('\'')));
      Check(NameOf(field, absl::StrCat(hostile, " in place of ", value)), bytes, words);
    }
  }
}

TEST_P(GgufCorruption, TypesAndVersions) {
  for (const Field& field : image_.fields) {
    if (field.kind != FieldKind::kType && field.kind != FieldKind::kGgmlType &&
        field.kind != FieldKind::kVersion)
      continue;
    for (const uint32_t type : HostileTypes()) {
      const bool is_unknown = field.kind == FieldKind::kVersion || type > 40 ||
                              (field.kind == FieldKind::kType && type > 12);
      Check(NameOf(field, absl::StrCat("type ", type)), WithNumber(field, type),
            is_unknown && field.kind != FieldKind::kVersion ? std::vector{field.owner}
                                                            : std::vector<std::string>{},
            field.kind != FieldKind::kVersion || type % 65536 != 0 || type == 0);
    }
  }
}

TEST_P(GgufCorruption, EveryByteOfTheHeader) {
  size_t end = 0;
  for (const Field& field : image_.fields)
    if (field.kind != FieldKind::kData && field.kind != FieldKind::kPadding)
      end = field.offset + field.size;
  for (size_t i = 0; i < end; ++i) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string bytes = image_.bytes;
      bytes[i] = static_cast<char>(bytes[i] ^ change);
      const bool is_magic_or_version = i < 8;
      Check(absl::StrCat("byte ", i, " ^ ", change), bytes, {}, !is_magic_or_version);
    }
  }
}

TEST_P(GgufCorruption, Twice) {
  // Every name in the place of every other of its kind, as far as the length allows.
  for (const Field& a : image_.fields) {
    for (const Field& b : image_.fields) {
      if (a.kind != FieldKind::kText || b.kind != FieldKind::kText || a.offset == b.offset)
        continue;
      if (a.owner != b.owner || a.size != b.size) continue;
      const std::string name = image_.bytes.substr(b.offset, b.size);
      std::vector<std::string> words;
      if (a.owner == "a key") words = {"key '" + name + "'", "a second time"};
      if (a.owner == "a tensor's name") words = {"tensor '" + name + "'", "a second time"};
      Check(NameOf(a, "named " + name), With(a, name), words);
    }
  }
}

TEST_P(GgufCorruption, OtherByteOrder) {
  std::string swapped = image_.bytes;
  for (const Field& field : image_.fields) {
    if (field.kind == FieldKind::kText || field.kind == FieldKind::kMagic ||
        field.kind == FieldKind::kData || field.kind == FieldKind::kPadding)
      continue;
    const auto at = swapped.begin() + static_cast<std::ptrdiff_t>(field.offset);
    std::reverse(at, at + static_cast<std::ptrdiff_t>(field.size));
  }
  EXPECT_FALSE(IsGguf(swapped));
  Check("all numbers big-endian", swapped, {"big-endian"}, false);
  for (const char* magic : {"FUGG", "GGUf", "gguf", "GGML", "ggjt", "tjgg", "lmgg", "PK\3\4"})
    Check(absl::StrCat("magic ", magic), With(image_.fields[0], magic), {}, false);
}

TEST_P(GgufCorruption, NamesWithAnyBytes) {
  // Names are bytes, and nobody takes them for paths: valid, whatever they hold.
  for (const Field& field : image_.fields) {
    if (field.kind != FieldKind::kText || field.size == 0) continue;
    if (image_.bytes.substr(field.offset, field.size) == "general.alignment") continue;
    for (const char byte : {'\0', '\x7f', '\xff', '/', '\n'})
      Check(NameOf(field, absl::StrCat("byte ", static_cast<int>(byte))),
            With(field, std::string(field.size - 1, byte) + "!"));
  }
}

// What was published of other readers of the format, rebuilt from the descriptions.
struct TensorCase {
  const char* name;
  std::vector<uint64_t> dims;
  uint32_t type;
  uint64_t offset = 0;
};

std::string FileOf(const std::vector<TensorCase>& tensors, uint64_t tensor_count) {
  std::string bytes = "GGUF";
  const auto put = [&bytes](auto value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(uint32_t{3});
  put(tensor_count);
  put(uint64_t{0});
  for (const TensorCase& tensor : tensors) {
    put(uint64_t{strlen(tensor.name)});
    bytes += tensor.name;
    put(static_cast<uint32_t>(tensor.dims.size()));
    for (const uint64_t dim : tensor.dims) put(dim);
    put(tensor.type);
    put(tensor.offset);
  }
  bytes.resize((bytes.size() + 31) / 32 * 32 + 4096);
  return bytes;
}

TEST(GgufPublishedFlaws, AreErrorsHere) {
  Tally tally("gguf, published flaws", kFile);
  const auto refused = [&tally](const char* flaw, const std::vector<TensorCase>& tensors,
                                const std::vector<std::string>& words, uint64_t count = 0) {
    const std::string file = FileOf(tensors, count == 0 ? tensors.size() : count);
    EXPECT_FALSE(IsGguf(file)) << flaw;
    tally.Check(flaw, file.size(), Outcome(file), {.words = words});
  };
  constexpr uint64_t kMax = ~uint64_t{0};
  // CVE-2024-21802: a number of dims beyond the four that there was room for.
  for (const size_t dims : {5, 8, 64, 255})
    refused("CVE-2024-21802", {{"t", std::vector<uint64_t>(dims, 1), 0}},
            {"tensor 't'", "dims; GGUF allows 4"});
  // And what was found with it: counts whose product with the size of an entry wraps around.
  for (const uint64_t count :
       {kMax, kMax / 2, kMax / 24, kMax / 24 + 1, kMax / 80, kMax / 88 + 1, kMax / 312 + 1,
        kMax / 368 + 1, uint64_t{1} << 60, uint64_t{1} << 32})
    refused("CVE-2024-21802, counts", {{"t", {1}, 0}}, {"the tensor count"}, count);
  // CVE-2025-53630: sizes that are each possible, whose sum wraps around.
  constexpr uint64_t kQuarter = uint64_t{1} << 60;  // values; 2^62 bytes
  refused("CVE-2025-53630",
          {{"a", {kQuarter}, 0, 0},
           {"b", {kQuarter}, 0, uint64_t{1} << 62},
           {"c", {kQuarter}, 0, uint64_t{2} << 62},
           {"d", {kQuarter}, 0, uint64_t{3} << 62},
           {"e", {16}, 0, 0}},
          {"tensor 'a'", "beyond the end"});
  refused("CVE-2025-53630, two", {{"a", {16}, 0, 0}, {"b", {(uint64_t{1} << 61) - 16}, 0, 64}},
          {"tensor 'b'"});
  refused("CVE-2025-53630, offset", {{"a", {16}, 0, 0 - uint64_t{32}}}, {"tensor 'a'"});
  // CVE-2026-27940: the check of the sum was passed by a size that wraps to 0 when rounded up to
  // the alignment, or by the memory for the entries added to it.
  refused("CVE-2026-27940", {{"a", {64}, 0, 0}, {"b", {4, (1 << 30) - 1, (1 << 30) + 1}, 0, 256}},
          {"tensor 'b'", "impossible dims"});
  refused("CVE-2026-27940, one dim", {{"a", {kMax / 4}, 0, 0}, {"b", {8}, 0, 0}},
          {"tensor 'a'", "impossible dims"});
  for (const uint64_t below : {1, 2, 8, 31, 32})
    refused("CVE-2026-27940, 2^63", {{"a", {(uint64_t{1} << 63) - below}, 24, 0}}, {"tensor 'a'"});
  // CVE-2026-33298: values times the size of one wrap around, so that exabytes seem to be
  // megabytes.
  refused("CVE-2026-33298", {{"t", {1152, (uint64_t{1} << 42) + 1}, 8, 0}}, {"tensor 't'"});
  refused("CVE-2026-33298, zero", {{"t", {1 << 20, uint64_t{1} << 42}, 0, 0}},
          {"tensor 't'", "impossible dims"});
  refused("CVE-2026-33298, four dims", {{"t", {1 << 16, 1 << 16, 1 << 16, (1 << 16) + 1}, 0, 0}},
          {"tensor 't'"});
  refused("CVE-2026-33298, a million", {{"t", {(uint64_t{1} << 62) + (1 << 18)}, 0, 0}},
          {"tensor 't'"});
  // Negative dims, and a product that is negative.
  refused("negative dim", {{"t", {kMax}, 0, 0}}, {"tensor 't'", "impossible dims"});
  refused("negative product", {{"t", {kMax >> 1, 2}, 24, 0}}, {"tensor 't'", "impossible dims"});
  refused("two negative dims", {{"t", {0 - uint64_t{2}, 0 - uint64_t{2}}, 0, 0}}, {"tensor 't'"});
  refused("no values hide an overflow", {{"t", {0, uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0}},
          {"tensor 't'", "impossible dims"});
  // A type that a signed comparison takes for a known one.
  for (const uint32_t type : {0xffffffffu, 0x80000000u, 0x80000008u})
    refused("negative type", {{"t", {32}, type, 0}}, {"tensor 't'", "ggml type"});
}

INSTANTIATE_TEST_SUITE_P(Versions, GgufCorruption, testing::Values(2, 3));

}  // namespace
}  // namespace weft::corruption
