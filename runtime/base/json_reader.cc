#include "runtime/base/json_reader.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "runtime/base/clear_json.h"

namespace weft {
namespace {

using nlohmann::json;

// Over the text's bytes; the parser's copies of it all leave in *offset how far they came.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* begin, const char* at, uint64_t* offset)
      : begin_(begin), at_(at), offset_(offset) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *offset_ = static_cast<uint64_t>(++at_ - begin_);
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* begin_;
  const char* at_;
  uint64_t* offset_;
};

// Builds the document. Its depth is that of `open_`, so that nothing recurses here either.
class DocumentBuilder : public nlohmann::json_sax<json> {
 public:
  ~DocumentBuilder() override { ClearJson(document_); }

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return Fail("holds binary data"); }

  bool start_object(std::size_t /*size*/) override { return Open(json::object()); }
  bool start_array(std::size_t /*size*/) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    auto& object = open_.back().value->get_ref<json::object_t&>();
    const auto [member, is_new] = object.try_emplace(std::move(name));
    open_.back().key = &member->first;
    open_.back().member = &member->second;
    return is_new || Fail("occurs twice");
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& error) override {
    constexpr int kOutOfRange = 406;                          // nlohmann's number of that error
    const std::size_t at = position == 0 ? 0 : position - 1;  // it counts from 1
    error_ = error.id == kOutOfRange
                 ? "holds a number out of range"
                 : absl::StrCat("is no valid JSON (syntax error at byte ", at, ")");
    return false;
  }

  json& document() { return document_; }
  // What is wrong, with the keys that lead there.
  std::string Error() const {
    std::string path;
    for (const Level& level : open_) {
      if (level.key != nullptr) {
        absl::StrAppend(&path, path.empty() ? "" : ".",
                        absl::CHexEscape(absl::string_view(*level.key).substr(0, kMaxShown)));
      } else if (level.value->is_array()) {
        // The last element is the next level; the innermost one is yet to come.
        const size_t next = level.value->size();
        absl::StrAppend(&path, "[", &level == &open_.back() ? next : next - 1, "]");
      }
    }
    constexpr size_t kMaxPath = 400;  // of 64 levels the outermost
    return absl::StrCat(path.substr(0, kMaxPath), path.empty() ? "" : " ", error_);
  }

 private:
  static constexpr size_t kMaxShown = 120;

  struct Level {
    json* value;  // an object or array that is not closed yet
    const std::string* key = nullptr;
    json* member = nullptr;
  };

  // Where the next value goes.
  json* Place() {
    if (open_.empty()) return &document_;
    if (open_.back().member != nullptr) return open_.back().member;
    return &open_.back().value->get_ref<json::array_t&>().emplace_back();
  }
  template <typename T>
  bool Put(T&& value) {
    *Place() = std::forward<T>(value);
    return true;
  }
  bool Open(json container) {
    if (open_.size() >= kMaxJsonNesting)
      return Fail(absl::StrCat("nests deeper than ", kMaxJsonNesting, " levels"));
    json* const place = Place();
    *place = std::move(container);
    open_.push_back({place});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }
  bool Fail(std::string message) {
    error_ = std::move(message);
    return false;
  }

  json document_;
  std::vector<Level> open_;
  std::string error_;
};

}  // namespace

bool StreamJson(absl::string_view text, nlohmann::json_sax<json>& handler, uint64_t* offset) {
  *offset = 0;
  // To nlohmann's parser a NUL ends the text, and what follows it would not be seen.
  if (const size_t nul = text.find('\0'); nul != absl::string_view::npos) {
    *offset = nul;
    return handler.parse_error(nul + 1, "",
                               json::parse_error::create(101, nul + 1, "NUL", std::nullptr_t()));
  }
  const char* const begin = text.data();
  return json::sax_parse(CountingIterator(begin, begin, offset),
                         CountingIterator(begin, begin + text.size(), offset), &handler);
}

absl::StatusOr<json> ParseJson(absl::string_view text, absl::string_view name) {
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ": is empty"));
  DocumentBuilder builder;
  uint64_t offset = 0;
  if (!StreamJson(text, builder, &offset)) {
    const std::string error = builder.Error();
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", error,
                                                   error.find("at byte") == std::string::npos
                                                       ? absl::StrCat(" (near byte ", offset, ")")
                                                       : ""));
  }
  return std::move(builder.document());
}

absl::StatusOr<json> ParseJsonObject(absl::string_view text, absl::string_view name) {
  absl::StatusOr<json> value = ParseJson(text, name);
  if (!value.ok() || value->is_object()) return value;
  const ClearsJson clears(*value);
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": holds a JSON ", value->type_name(), ", expected an object"));
}

}  // namespace weft
