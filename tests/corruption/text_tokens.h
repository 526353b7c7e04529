// Texts of a grammar, damaged by the word.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weft::corruption {

// Words, numbers, quoted texts and single signs, with where they begin.
std::vector<std::pair<size_t, std::string>> TokensOf(const std::string& text);

// What stands in the place of a word or sign, and is right in few of them.
std::vector<std::string> WrongTokens();

}  // namespace weft::corruption
