#include "runtime/text/bpe_bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/text/utf8.h"

namespace weft {
namespace {

struct ByteAlphabet {
  // Bytes without a printable form are numbered upwards from U+0100; there are 68 of them, so
  // U+0143 is the last.
  static constexpr size_t kCharacters = 0x144;
  std::array<uint16_t, 256> to_code{};
  std::array<int16_t, kCharacters> to_byte{};

  constexpr ByteAlphabet() {
    to_byte.fill(-1);
    uint16_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
                             (byte >= 0xAE && byte <= 0xFF);
      const uint16_t code = printable ? static_cast<uint16_t>(byte) : next++;
      to_code[byte] = code;
      to_byte[code] = static_cast<int16_t>(byte);
    }
  }
};

constexpr ByteAlphabet kAlphabet;

}  // namespace

void AppendToByteAlphabet(std::string_view bytes, std::string* out) {
  for (const char byte : bytes) AppendUtf8(kAlphabet.to_code[static_cast<uint8_t>(byte)], out);
}

bool AppendFromByteAlphabet(std::string_view token, std::string* bytes) {
  const size_t before = bytes->size();
  for (size_t i = 0; i < token.size();) {
    const Utf8Char c = DecodeUtf8(token, i);
    if (!c.valid || c.code >= ByteAlphabet::kCharacters || kAlphabet.to_byte[c.code] < 0) {
      bytes->resize(before);
      return false;
    }
    bytes->push_back(static_cast<char>(kAlphabet.to_byte[c.code]));
    i += c.size;
  }
  return true;
}

}  // namespace weft
