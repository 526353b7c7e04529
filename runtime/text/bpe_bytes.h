// The byte alphabet of byte-level BPE: each byte is written as one printable character (GPT-2's
// encoder.py, bytes_to_unicode): 0x21–0x7E, 0xA1–0xAC and 0xAE–0xFF stand for themselves, the other
// 68 bytes are U+0100 upwards.
#pragma once

#include <string>
#include <string_view>

namespace weft {

// Appends the characters of bytes: " a" → "Ġa".
void AppendToByteAlphabet(std::string_view bytes, std::string* out);

// Appends the bytes that `token` stands for; false, with nothing appended, if a character is
// outside the alphabet.
bool AppendFromByteAlphabet(std::string_view token, std::string* bytes);

}  // namespace weft
