// Text tables with a header and aligned columns.
#pragma once

#include <string>
#include <vector>

namespace weft::tools {

class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void AlignRight(const std::vector<int>& columns);
  // As many cells as the header has.
  void Add(std::vector<std::string> row);
  // One line per row, the header first with a rule under it, two spaces between columns.
  std::string ToString() const;
  // The same as a table of Markdown.
  std::string ToMarkdown() const;

 private:
  // In characters, of the widest cell.
  std::vector<size_t> Widths() const;
  std::string Padded(size_t row, size_t column, size_t width) const;

  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace weft::tools
