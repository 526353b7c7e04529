#include "tools/text_diff.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"

namespace weft::tools {
namespace {

using Pairs = std::vector<std::pair<int, int>>;

// Paths go from (0, 0) to (n, m): x counts elements of `a`, y those of `b`. A step right takes an
// element of `a`, one down an element of `b`, a diagonal one of both, which are equal. Diagonal k
// holds the points with x - y = k.
class Myers {
 public:
  Myers(absl::Span<const int> a, absl::Span<const int> b)
      : a_(a),
        b_(b),
        zero_(static_cast<int>(b.size()) + 1),
        forward_(a.size() + b.size() + 3),
        backward_(forward_.size()) {}

  Pairs Run() {
    Compare({0, static_cast<int>(a_.size()), 0, static_cast<int>(b_.size())});
    return std::move(pairs_);
  }

 private:
  struct Box {
    int a_begin;
    int a_end;
    int b_begin;
    int b_end;
    int n() const { return a_end - a_begin; }
    int m() const { return b_end - b_begin; }
  };
  // A run of diagonal steps, maybe of none, in the middle of a shortest path; relative to the box.
  struct Snake {
    int x;
    int y;
    int length;
  };

  void Compare(Box box) {
    while (box.n() > 0 && box.m() > 0 && a_[box.a_begin] == b_[box.b_begin])
      pairs_.emplace_back(box.a_begin++, box.b_begin++);
    int same_at_end = 0;
    while (box.n() > 0 && box.m() > 0 && a_[box.a_end - 1] == b_[box.b_end - 1]) {
      --box.a_end, --box.b_end;
      ++same_at_end;
    }
    if (box.n() > 0 && box.m() > 0) {
      // Both ends differ, and nothing is empty: there are two edits or more, and each half of the
      // path has fewer.
      if (const std::optional<Snake> snake = Middle(box)) {
        const int x = box.a_begin + snake->x;
        const int y = box.b_begin + snake->y;
        Compare({box.a_begin, x, box.b_begin, y});
        for (int i = 0; i < snake->length; ++i) pairs_.emplace_back(x + i, y + i);
        Compare({x + snake->length, box.a_end, y + snake->length, box.b_end});
      }
    }
    for (int i = 0; i < same_at_end; ++i) pairs_.emplace_back(box.a_end + i, box.b_end + i);
  }

  // Advances each diagonal by one edit. `furthest` holds by diagonal the largest x reached, -1:
  // none; `equal(x, y)` tells whether a diagonal step leads on from there. Calls `reached(k, x,
  // length)` for each snake, until it returns true.
  template <typename Equal, typename Reached>
  bool Advance(const Box& box, int edits, std::vector<int>& furthest, Equal equal,
               Reached reached) {
    const int low = edits <= box.m() ? -edits : -box.m() + ((edits - box.m()) & 1);
    const int high = edits <= box.n() ? edits : box.n() - ((edits - box.n()) & 1);
    left_ -= high - low;
    for (int k = low; k <= high; k += 2) {
      int x = edits == 0 ? 0 : -1;
      const int right = furthest[zero_ + k - 1];
      const int down = furthest[zero_ + k + 1];
      if (right >= 0 && right < box.n()) x = right + 1;
      if (down >= 0 && down - k <= box.m()) x = std::max(x, down);
      if (x < 0) {
        furthest[zero_ + k] = -1;
        continue;
      }
      int length = 0;
      while (x + length < box.n() && x - k + length < box.m() && equal(x + length, x - k + length))
        ++length;
      furthest[zero_ + k] = x + length;
      left_ -= length;
      if (reached(k, x, length)) return true;
    }
    return false;
  }

  // Searches from both corners at once, until the paths meet. None where the work is used up.
  std::optional<Snake> Middle(const Box& box) {
    const int n = box.n();
    const int m = box.m();
    std::fill(forward_.begin() + zero_ - m - 1, forward_.begin() + zero_ + n + 2, -1);
    std::fill(backward_.begin() + zero_ - m - 1, backward_.begin() + zero_ + n + 2, -1);
    const int delta = n - m;  // diagonal k, seen from the other corner, is delta - k
    const bool odd = delta % 2 != 0;
    std::optional<Snake> found;
    for (int edits = 0; edits <= (n + m + 1) / 2; ++edits) {
      if (left_ <= 0) return std::nullopt;
      const auto meets = [&](const std::vector<int>& others, int k, int x, int steps) {
        const int other = delta - k;
        return other >= -steps && other <= steps && other >= -m && other <= n &&
               others[zero_ + other] >= 0 && x + others[zero_ + other] >= n;
      };
      if (Advance(
              box, edits, forward_,
              [&](int x, int y) { return a_[box.a_begin + x] == b_[box.b_begin + y]; },
              [&](int k, int x, int length) {
                if (odd && meets(backward_, k, x + length, edits - 1)) found = {x, x - k, length};
                return found.has_value();
              })) {
        return found;
      }
      if (Advance(
              box, edits, backward_,
              [&](int x, int y) { return a_[box.a_end - 1 - x] == b_[box.b_end - 1 - y]; },
              [&](int k, int x, int length) {
                if (!odd && meets(forward_, k, x + length, edits))
                  found = {n - x - length, m - (x - k) - length, length};
                return found.has_value();
              })) {
        return found;
      }
    }
    WEFT_CHECK(false);  // n + m edits lead from corner to corner
  }

  // Diagonals and steps on them: some two seconds, enough for 15,000 lines however they differ.
  int64_t left_ = int64_t{1} << 29;
  const absl::Span<const int> a_;
  const absl::Span<const int> b_;
  const int zero_;  // where diagonal 0 stands
  std::vector<int> forward_;
  std::vector<int> backward_;
  Pairs pairs_;
};

// With their newlines.
std::vector<absl::string_view> Lines(absl::string_view text) {
  std::vector<absl::string_view> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    lines.push_back(text.substr(0, newline == absl::string_view::npos ? newline : newline + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

// Equal lines have equal numbers.
class LineNumbers {
 public:
  std::vector<int> Of(const std::vector<absl::string_view>& lines) {
    std::vector<int> numbers;
    for (const absl::string_view line : lines)
      numbers.push_back(
          numbers_.try_emplace(line, static_cast<int>(numbers_.size())).first->second);
    return numbers;
  }

 private:
  absl::flat_hash_map<absl::string_view, int> numbers_;
};

void AppendLine(char sign, absl::string_view line, std::string* text) {
  absl::StrAppend(text, std::string(1, sign), line);
  if (line.back() != '\n') absl::StrAppend(text, "\n\\ No newline at end of file\n");
}

std::string RangeText(int begin, int end) {
  // An empty range is named by the line before it.
  const std::string first = absl::StrCat(begin + (begin == end ? 0 : 1));
  return end - begin == 1 ? first : absl::StrCat(first, ",", end - begin);
}

constexpr int kContext = 3;

}  // namespace

Pairs CommonSubsequence(absl::Span<const int> a, absl::Span<const int> b) {
  // What one side lacks can be no part of it: without that, little is left to search where most has
  // changed.
  const auto kept = [](absl::Span<const int> of, absl::Span<const int> other) {
    absl::flat_hash_map<int, int> counts;
    for (const int value : other) ++counts[value];
    std::vector<int> places;
    for (size_t i = 0; i < of.size(); ++i) {
      if (counts.contains(of[i])) places.push_back(static_cast<int>(i));
    }
    return places;
  };
  const std::vector<int> places_a = kept(a, b);
  const std::vector<int> places_b = kept(b, a);
  std::vector<int> values_a;
  std::vector<int> values_b;
  for (const int place : places_a) values_a.push_back(a[place]);
  for (const int place : places_b) values_b.push_back(b[place]);
  Pairs pairs = Myers(values_a, values_b).Run();
  for (auto& [x, y] : pairs) {
    x = places_a[x];
    y = places_b[y];
  }
  return pairs;
}

std::string UnifiedDiff(absl::string_view name_a, absl::string_view a, absl::string_view name_b,
                        absl::string_view b) {
  if (a == b) return "";
  const std::vector<absl::string_view> lines_a = Lines(a);
  const std::vector<absl::string_view> lines_b = Lines(b);
  LineNumbers numbers;
  const std::vector<int> numbers_a = numbers.Of(lines_a);
  Pairs same = CommonSubsequence(numbers_a, numbers.Of(lines_b));
  const auto end_a = static_cast<int>(lines_a.size());
  const auto end_b = static_cast<int>(lines_b.size());
  same.emplace_back(end_a, end_b);

  // Lines [a_begin, a_end) became [b_begin, b_end).
  struct Change {
    int a_begin;
    int a_end;
    int b_begin;
    int b_end;
  };
  std::vector<Change> changes;
  int x = 0;
  int y = 0;
  for (const auto& [next_x, next_y] : same) {
    if (next_x > x || next_y > y) changes.push_back({x, next_x, y, next_y});
    x = next_x + 1;
    y = next_y + 1;
  }

  std::string text = absl::StrCat("--- a/", name_a, "\n+++ b/", name_b, "\n");
  for (size_t first = 0, last = 0; first < changes.size(); first = last + 1) {
    last = first;
    while (last + 1 < changes.size() &&
           changes[last + 1].a_begin - changes[last].a_end <= 2 * kContext) {
      ++last;
    }
    const int before = std::min(kContext, changes[first].a_begin);
    const int after = std::min(kContext, end_a - changes[last].a_end);
    absl::StrAppend(
        &text, "@@ -", RangeText(changes[first].a_begin - before, changes[last].a_end + after),
        " +", RangeText(changes[first].b_begin - before, changes[last].b_end + after), " @@\n");
    int shown = changes[first].a_begin - before;
    for (size_t i = first; i <= last; ++i) {
      const Change& change = changes[i];
      for (; shown < change.a_begin; ++shown) AppendLine(' ', lines_a[shown], &text);
      for (; shown < change.a_end; ++shown) AppendLine('-', lines_a[shown], &text);
      for (int line = change.b_begin; line < change.b_end; ++line)
        AppendLine('+', lines_b[line], &text);
    }
    for (int line = 0; line < after; ++line, ++shown) AppendLine(' ', lines_a[shown], &text);
  }
  return text;
}

}  // namespace weft::tools
