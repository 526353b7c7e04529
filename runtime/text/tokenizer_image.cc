#include "runtime/text/tokenizer_image.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/base/checked_reader.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kHashFactor = 0x9E3779B97F4A7C15;

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80; }

template <typename... Parts>
absl::Status Damaged(const std::string& name, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer: ", parts...));
}

}  // namespace

size_t PieceSlot(std::string_view text, size_t slots) {
  uint64_t hash = text.size() * kHashFactor;
  while (!text.empty()) {
    uint64_t word = 0;
    const size_t bytes = std::min(text.size(), sizeof(word));
    std::memcpy(&word, text.data(), bytes);
    hash = (hash ^ word) * kHashFactor;
    hash ^= hash >> 32;
    text.remove_prefix(bytes);
  }
  return hash & (slots - 1);
}

size_t MergeSlot(int32_t left, int32_t right, size_t slots) {
  uint64_t hash =
      ((uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right)) * kHashFactor;
  hash ^= hash >> 32;
  return hash & (slots - 1);
}

absl::StatusOr<TokenizerImage> TokenizerImage::Read(std::string_view bytes,
                                                    const std::string& name) {
  TokenizerImage image;
  image.bytes_ = bytes;
  if (absl::Status status = image.Place(name); !status.ok()) return status;
  absl::StatusOr<TokenizerSettings> settings =
      SettingsFromJson({image.json_, image.header_.json_bytes}, name);
  if (!settings.ok()) return settings.status();
  image.settings_ = *std::move(settings);
  if (absl::Status status = image.Check(name); !status.ok()) return status;
  if (absl::Status status = image.ReadAdded(name); !status.ok()) return status;
  if (absl::Status status = ValidateIds(image.settings_, image.size(), name); !status.ok())
    return status;
  return image;
}

// Finds the arrays, which fill the bytes exactly.
absl::Status TokenizerImage::Place(const std::string& name) {
  ByteReader reader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size()),
      absl::StrCat(name, ": tokenizer"));
  const absl::StatusOr<absl::Span<const uint8_t>> header =
      reader.ReadBytes(sizeof(header_), "the header");
  if (!header.ok()) return header.status();
  std::memcpy(&header_, header->data(), sizeof(header_));
  if (header_.magic != kTokenizerMagic || header_.version != kTokenizerVersion)
    return Damaged(name, "not of version ", kTokenizerVersion);
  if (header_.tokens == 0 || header_.tokens > kMaxVocabulary) {
    return Damaged(name, "a vocabulary of ", header_.tokens, " tokens; there are 1 to ",
                   kMaxVocabulary);
  }
  for (const uint32_t slots : {header_.piece_slots, header_.merge_slots}) {
    if (slots < 2 || !std::has_single_bit(slots)) return Damaged(name, "a table of ", slots);
  }
  absl::Status status;
  const auto place = [&](const char** array, uint64_t count, uint64_t bytes, const char* what) {
    if (!status.ok()) return;
    // Counts are of 32 bits, so that their products fit 64.
    const absl::StatusOr<absl::Span<const uint8_t>> found = reader.ReadBytes(count * bytes, what);
    status = found.status();
    if (found.ok()) *array = reinterpret_cast<const char*>(found->data());
  };
  place(&byte_tokens_, 256, sizeof(int32_t), "byte_tokens");
  place(&offsets_, uint64_t{header_.tokens} + 1, sizeof(uint32_t), "offsets");
  place(&scores_, header_.scores, sizeof(float), "scores");
  place(&merges_, header_.merges, 3 * sizeof(int32_t), "merges");
  place(&pieces_, header_.piece_slots, sizeof(int32_t), "pieces");
  place(&merge_ranks_, header_.merge_slots, sizeof(int32_t), "merge_ranks");
  place(&added_, header_.added, sizeof(AddedEntry), "added");
  place(&types_, header_.tokens, 1, "types");
  place(&text_, header_.text_bytes, 1, "text");
  place(&json_, header_.json_bytes, 1, "settings");
  if (!status.ok() || reader.remaining() == 0) return status;
  return reader.Error(absl::StrCat("the header's counts end here, but the tokenizer has ",
                                   bytes_.size(), " bytes"));
}

absl::Status TokenizerImage::Check(const std::string& name) const {
  const auto all_below = [](const char* array, uint64_t count, int32_t least, uint64_t bound) {
    bool good = true;
    for (uint64_t i = 0; i < count; ++i) {
      const auto value = Load<int32_t>(array, i);
      good &= value >= least && value < static_cast<int64_t>(bound);
    }
    return good;
  };
  // Also from the last slot on to the first.
  const auto runs_are_short = [](const char* array, size_t slots) {
    size_t run = 0;
    for (size_t i = 0; i < slots + kMaxRun && run <= kMaxRun; ++i)
      run = Load<int32_t>(array, i & (slots - 1)) < 0 ? 0 : run + 1;
    return run <= kMaxRun;
  };
  if (!all_below(byte_tokens_, 256, -1, size())) return Damaged(name, "byte tokens out of range");
  if (!all_below(pieces_, header_.piece_slots, -1, size()))
    return Damaged(name, "pieces out of range");
  if (!all_below(merges_, uint64_t{header_.merges} * 3, 0, size()))
    return Damaged(name, "merges out of range");
  if (!all_below(merge_ranks_, header_.merge_slots, -1, header_.merges))
    return Damaged(name, "ranks out of range");
  if (!runs_are_short(pieces_, header_.piece_slots) ||
      !runs_are_short(merge_ranks_, header_.merge_slots)) {
    return Damaged(name, "more than ", kMaxRun, " slots of a table in a row are taken");
  }

  // Where all of it is valid and no token begins or ends within a character, each one is.
  const std::string_view text(text_, header_.text_bytes);
  if (!IsValidUtf8(text)) return Damaged(name, "the text is not valid UTF-8");
  uint32_t before = 0;
  for (size_t i = 0; i <= size(); ++i) {
    const auto offset = Load<uint32_t>(offsets_, i);
    if (offset < before || offset > text.size() ||
        (offset < text.size() && IsContinuation(text[offset]))) {
      return Damaged(name, "token ", i, " begins at ", offset, " of ", text.size(), " bytes");
    }
    if (i > 0 && offset - before > kMaxTokenBytes)
      return Damaged(name, "token ", i - 1, " has ", offset - before, " bytes");
    before = offset;
  }
  for (size_t i = 0; i < size(); ++i) {
    if (static_cast<uint8_t>(types_[i]) > static_cast<uint8_t>(TokenType::kAddedOnly))
      return Damaged(name, "token ", i, " has an unknown type");
  }
  const bool scored = settings_.merging == TokenizerSettings::Merging::kScored;
  if (header_.scores != (scored ? size() : 0))
    return Damaged(name, header_.scores, " scores for ", size(), " tokens");
  for (size_t i = 0; i < header_.scores; ++i) {
    if (!std::isfinite(Load<float>(scores_, i)))
      return Damaged(name, "the score of token ", i, " is not finite");
  }
  return absl::OkStatus();
}

absl::Status TokenizerImage::ReadAdded(const std::string& name) {
  const std::string_view text(text_, header_.text_bytes);
  bool good = true;
  const auto stretch = [&](uint32_t begin, uint32_t bytes) {
    const uint64_t end = uint64_t{begin} + bytes;
    good = good && end <= text.size() && (bytes == 0 || !IsContinuation(text[begin])) &&
           (end == text.size() || !IsContinuation(text[end]));
    return good ? std::string(text.substr(begin, bytes)) : std::string();
  };
  // Each stands in the text at most once as a token, once as what is sought and once behind those;
  // what overlaps further would make much of a small file.
  size_t bytes = 0;
  const size_t most_bytes = 2 * bytes_.size() + (size_t{64} << 10);
  settings_.added_tokens.reserve(header_.added);
  for (size_t i = 0; i < header_.added; ++i) {
    const auto entry = Load<AddedEntry>(added_, i);
    AddedToken token;
    token.id = entry.id;
    bytes += size_t{entry.content_bytes} + entry.pattern_bytes;
    if (bytes > most_bytes) {
      return Damaged(name, "the texts of added tokens up to ", i, " have more than ", most_bytes,
                     " bytes");
    }
    if (entry.content_bytes > kMaxTokenBytes || entry.pattern_bytes > kMaxTokenBytes)
      return Damaged(name, "added token ", i, " is damaged");
    token.content = stretch(entry.content_begin, entry.content_bytes);
    token.pattern = stretch(entry.pattern_begin, entry.pattern_bytes);
    token.special = (entry.flags & 1U) != 0;
    token.lstrip = (entry.flags & 2U) != 0;
    token.rstrip = (entry.flags & 4U) != 0;
    token.single_word = (entry.flags & 8U) != 0;
    token.normalized = (entry.flags & 16U) != 0;
    if (!good || entry.id < 0 || static_cast<size_t>(entry.id) >= size() || entry.flags > 31 ||
        token.pattern.empty()) {
      return Damaged(name, "added token ", i, " is damaged");
    }
    settings_.added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

std::string TokenizerImage::BytesWith(const SpecialIds& ids) const {
  const std::string json = SettingsToJson(settings_, ids);
  TokenizerImageHeader header = header_;
  header.json_bytes = static_cast<uint32_t>(json.size());
  std::string bytes(bytes_.substr(0, static_cast<size_t>(json_ - bytes_.data())));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes + json;
}

std::string_view TokenizerImage::token(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  const auto begin = Load<uint32_t>(offsets_, index);
  return {text_ + begin, Load<uint32_t>(offsets_, index + 1) - begin};
}

int32_t TokenizerImage::FindPiece(std::string_view text) const {
  const size_t slots = header_.piece_slots;
  size_t slot = PieceSlot(text, slots);
  for (size_t i = 0; i < slots; ++i) {  // bounded, should a damaged table be full
    const auto id = Load<int32_t>(pieces_, slot);
    if (id < 0 || token(id) == text) return id;
    slot = (slot + 1) & (slots - 1);
  }
  return -1;
}

TokenizerImage::Merge TokenizerImage::FindMerge(int32_t left, int32_t right) const {
  const size_t slots = header_.merge_slots;
  size_t slot = MergeSlot(left, right, slots);
  for (size_t i = 0; i < slots; ++i) {
    const auto rank = Load<int32_t>(merge_ranks_, slot);
    if (rank < 0) break;
    const char* const merge = merges_ + size_t{3} * sizeof(int32_t) * static_cast<size_t>(rank);
    if (Load<int32_t>(merge, 0) == left && Load<int32_t>(merge, 1) == right)
      return {rank, Load<int32_t>(merge, 2)};
    slot = (slot + 1) & (slots - 1);
  }
  return {-1, -1};
}

}  // namespace weft
