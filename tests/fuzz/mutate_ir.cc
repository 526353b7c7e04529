#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/fuzz/mutate.h"

namespace weft::fuzz {
namespace {

bool IsWord(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '%'; }

// Where a word of the line begins and ends: an operation, a type, a dim, a value, a key.
using Word = std::pair<size_t, size_t>;
std::vector<Word> WordsOf(const std::string& line) {
  std::vector<Word> words;
  for (size_t i = 0; i < line.size();) {
    size_t end = i;
    while (end < line.size() && IsWord(line[end])) ++end;
    if (end > i) words.emplace_back(i, end - i);
    i = std::max(end, i + 1);
  }
  return words;
}

class Text {
 public:
  Text(std::vector<std::string> lines, size_t room, Random& random)
      : lines_(std::move(lines)), room_(room), random_(random) {}

  void Change() {
    const size_t i = Below(lines_.size(), random_);
    switch (Below(8, random_)) {
      case 0:
        if (lines_[i].size() < room_)
          lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(Below(lines_.size(), random_)),
                        std::string(lines_[i]));
        return;
      case 1:
        if (lines_.size() > 1) lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
        return;
      case 2:
        std::swap(lines_[i], lines_[Below(lines_.size(), random_)]);
        return;
      case 3:
        lines_[i] = MutateBytes(lines_[i], room_, random_);
        return;
      default:
        ChangeWord(lines_[i]);
    }
  }
  std::string Join() const { return absl::StrJoin(lines_, "\n"); }

 private:
  // A number becomes another; any word, one from elsewhere in the text.
  void ChangeWord(std::string& line) {
    const std::vector<Word> words = WordsOf(line);
    if (words.empty()) return;
    const auto [at, size] = words[Below(words.size(), random_)];
    uint64_t number = 0;
    if (absl::SimpleAtoi(line.substr(at, size), &number) && random_() % 4 != 0) {
      const char* const sign = random_() % 16 == 0 ? "-" : "";
      line.replace(at, size, absl::StrCat(sign, MutateInteger(number, random_)));
      return;
    }
    const std::string& other = lines_[Below(lines_.size(), random_)];
    const std::vector<Word> others = WordsOf(other);
    if (others.empty()) return;
    const auto [from, length] = others[Below(others.size(), random_)];
    line.replace(at, size, std::string(other, from, length));
  }

  std::vector<std::string> lines_;
  const size_t room_;
  Random& random_;
};

}  // namespace

std::string MutateIr(absl::string_view text, size_t room, Random& random) {
  if (text.empty()) return "";
  Text changed(absl::StrSplit(text, '\n'), room, random);
  for (size_t changes = 1 + Below(4, random); changes > 0; --changes) changed.Change();
  return changed.Join();
}

}  // namespace weft::fuzz
