#include "tools/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/text/terminal_text.h"

namespace weft::tools {
namespace {

// In characters; what is wider stands out of its column instead of widening it in every row.
constexpr size_t kWidestColumn = 256;

// Bytes that begin a character of UTF-8.
size_t Characters(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Table::Table(std::vector<std::string> header) : right_(header.size(), false) {
  rows_.push_back(std::move(header));
}

void Table::AlignRight(const std::vector<int>& columns) {
  for (int column : columns) right_[column] = true;
}

void Table::Add(std::vector<std::string> row) {
  WEFT_CHECK(row.size() == rows_[0].size());
  for (std::string& cell : row) cell = TerminalLine(cell);
  rows_.push_back(std::move(row));
}

std::vector<size_t> Table::Widths() const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], std::min(Characters(row[i]), kWidestColumn));
  }
  return widths;
}

std::string Table::Padded(size_t row, size_t column, size_t width) const {
  const std::string& cell = rows_[row][column];
  const std::string padding(width - std::min(width, Characters(cell)), ' ');
  return right_[column] ? absl::StrCat(padding, cell) : absl::StrCat(cell, padding);
}

std::string Table::ToString() const {
  const std::vector<size_t> widths = Widths();
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i)
      absl::StrAppend(&line, i == 0 ? "" : "  ", Padded(r, i, widths[i]));
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
    if (r > 0) continue;
    for (size_t i = 0; i < widths.size(); ++i)
      absl::StrAppend(&text, i == 0 ? "" : "  ", std::string(widths[i], '-'));
    text += "\n";
  }
  return text;
}

std::string Table::ToMarkdown() const {
  const std::vector<size_t> widths = Widths();
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    text += "|";
    for (size_t i = 0; i < widths.size(); ++i)
      absl::StrAppend(&text, " ", Padded(r, i, widths[i]), " |");
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (size_t i = 0; i < widths.size(); ++i)
      absl::StrAppend(&text, " ", std::string(widths[i] - 1, '-'), right_[i] ? ":" : "-", " |");
    text += "\n";
  }
  return text;
}

}  // namespace weft::tools
