// Texts on which tokenizers are known to take long, each of any length: for the test of their cost
// and its plot in docs/tokenizers.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct TextKind {
  std::string name;
  std::string begin;   // once
  std::string repeat;  // then this, over and over
  std::string end;     // once
  int letters = 0;     // where not 0: in place of `repeat`, so many different letters at random

  // About `bytes` bytes; never within a character.
  std::string Make(size_t bytes) const {
    std::string text = begin;
    uint32_t state = 1;
    while (text.size() < bytes) {
      if (letters == 0) {
        text += repeat;
        continue;
      }
      state = state * 1664525 + 1013904223;
      text += static_cast<char>('a' + (state >> 16) % static_cast<uint32_t>(letters));
    }
    return text + end;
  }
};

inline std::vector<TextKind> TextKinds() {
  return {
      {"prose", "", "The caf\u00e9 closed at 9; we'd walked for 12 km, hadn't we?\n", ""},
      {"one word of random letters", "", "", "", 26},
      {"one word of a and b", "", "", "", 2},
      {"aaaa\u2026", "", "a", ""},
      {"ABAB\u2026", "", "AB", ""},
      {"spaces", "", " ", ""},
      {"spaces, then a letter", "", " ", "x"},
      {"newlines", "", "\n", ""},
      {"spaces and newlines", "", "  \n", ""},
      {"CRLF", "", "a\r\n", ""},
      {"tabs, then a letter", "", "\t", "x"},
      {"digits", "", "8140273", ""},
      {"digits and spaces", "", "1 2 ", ""},
      {"apostrophes", "", "'", ""},
      {"contractions", "", "'s't're", ""},
      {"punctuation", "", "=-/", ""},
      {"emoji", "", "\U0001F600", ""},
      {"emoji families", "", "\U0001F468\u200D\U0001F469\u200D\U0001F467", ""},
      {"combining marks", "a", "\u0301\u0327", ""},
      {"Hangul jamo", "", "\u1112\u1161\u11AB", ""},
      {"Chinese", "", "\u4e2d\u6587\u5b57", ""},
      {"mixed scripts", "", "a\u0431\u4e2d\u0639\u05d0\u0e01\u0915\u30ab", ""},
      {"letters of no case", "", "\u00aa\u02b0", ""},
      {"begun special tokens", "", "<|im_star", ""},
      {"special tokens", "", "<|im_end|>", ""},
      {"angle brackets", "", "<", ""},
      {"space markers", "", "\u2581", ""},
      {"bytes that are no UTF-8", "", "\xff\xe2\x82", ""},
      {"NUL bytes", "", std::string(1, '\0'), ""},
      {"byte order marks", "", "\uFEFF", ""},
  };
}

}  // namespace weft
