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

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace weft::tools
