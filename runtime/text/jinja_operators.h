// Python's operators on values. Integers are 64 bits wide; what would not fit is an error.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

absl::StatusOr<Value> Binary(Context& context, BinaryOp op, const Value& left, const Value& right);
absl::StatusOr<Value> Negate(const Value& value);
absl::StatusOr<Value> Positive(const Value& value);

absl::StatusOr<bool> Equal(Context& context, const Value& left, const Value& right);
// left < right; an error for types without an order.
absl::StatusOr<bool> Less(Context& context, const Value& left, const Value& right);
absl::StatusOr<bool> Compare(Context& context, Comparison comparison, const Value& left,
                             const Value& right);
// `item in container`
absl::StatusOr<bool> Contains(Context& context, const Value& container, const Value& item);

// Sorts stably by key(item), like Python's sorted (with `reverse` equal items keep their order
// too). A merge sort of our own: a comparison can fail, and std::stable_sort is undefined for keys
// without a strict order such as NaN.
template <typename T, typename Key>
absl::Status SortBy(Context& context, std::vector<T>& items, const Key& key, bool reverse) {
  // Each item is in two lists of pairs, and the caller has another copy of all.
  WEFT_RETURN_IF_ERROR(context.Step(items.size()));
  WEFT_RETURN_IF_ERROR(
      context.Charge(items.size() * (2 * sizeof(std::pair<Value, T>) + sizeof(T))));
  std::vector<std::pair<Value, T>> from;
  from.reserve(items.size());
  for (T& item : items) from.emplace_back(key(item), item);
  std::vector<std::pair<Value, T>> to(from.size());
  const size_t n = from.size();
  for (size_t width = 1; width < n; width *= 2) {
    WEFT_RETURN_IF_ERROR(context.Step(n));
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      const size_t middle = std::min(begin + width, n);
      const size_t end = std::min(begin + 2 * width, n);
      size_t left = begin;
      size_t right = middle;
      for (size_t i = begin; i < end; ++i) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const Value& a = reverse ? from[left].first : from[right].first;
          const Value& b = reverse ? from[right].first : from[left].first;
          WEFT_ASSIGN_OR_RETURN(take_right, Less(context, a, b));
        }
        to[i] = std::move(from[take_right ? right++ : left++]);
      }
    }
    std::swap(from, to);
  }
  for (size_t i = 0; i < n; ++i) items[i] = std::move(from[i].second);
  return absl::OkStatus();
}

}  // namespace weft::jinja
