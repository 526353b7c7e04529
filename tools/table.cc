#include "tools/table.h"

#include <algorithm>

#include "runtime/abi/check.h"

namespace weft::tools {

Table::Table(std::vector<std::string> header) : right_(header.size(), false) {
  rows_.push_back(std::move(header));
}

void Table::AlignRight(const std::vector<int>& columns) {
  for (int column : columns) right_[column] = true;
}

void Table::Add(std::vector<std::string> row) {
  WEFT_CHECK(row.size() == rows_[0].size());
  rows_.push_back(std::move(row));
}

std::string Table::ToString() const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - rows_[r][i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (right_[i] ? padding + rows_[r][i] : rows_[r][i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (r > 0) continue;
    for (size_t i = 0; i < widths.size(); ++i)
      text += (i == 0 ? "" : "  ") + std::string(widths[i], '-');
    text += "\n";
  }
  return text;
}

}  // namespace weft::tools
