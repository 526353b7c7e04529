// Text from files on its way to a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace weft {

// The text with what a terminal would obey as \x1b: control characters but for \n and \t, those of
// C1 among them, and bytes that are no UTF-8. Of more than `most` bytes the first, and "…".
std::string TerminalText(absl::string_view text, size_t most = absl::string_view::npos);
// The same in one line: \n and \t as well.
std::string TerminalLine(absl::string_view text);

// A name or text of a file as messages give it: 'text', of a long one the beginning.
std::string QuotedText(absl::string_view text);

}  // namespace weft
