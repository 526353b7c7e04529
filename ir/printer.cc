#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(text), "\"");
}

// By id: the number that the node has in the text, its place in program order; -1 where it has
// none.
std::vector<NodeId> Numbers(const Module& module) {
  std::vector<NodeId> numbers(module.id_bound(), -1);
  NodeId next = 0;
  for (NodeId id : module.order()) numbers[id] = next++;
  return numbers;
}

std::string ValueText(const std::vector<NodeId>& numbers, NodeId id) {
  if (id < 0 || static_cast<size_t>(id) >= numbers.size() || numbers[id] < 0) return "%undefined";
  return absl::StrCat("%", numbers[id]);
}

// Shortest text that parses to the same value, with a '.' or an exponent so that it reads as a
// float.
std::string FloatText(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::isnan(value)) return "nan";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

struct AttrText {
  bool json = false;
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const {
    return json && !std::isfinite(value) ? Quote(FloatText(value)) : FloatText(value);
  }
  std::string operator()(const std::string& value) const;
  template <typename T>
  std::string operator()(const std::vector<T>& values) const {
    return absl::StrCat("[",
                        absl::StrJoin(values, ", ",
                                      [this](std::string* out, const T& value) {
                                        absl::StrAppend(out, (*this)(value));
                                      }),
                        "]");
  }
};

// Bytes of the UTF-8 character that `text` starts with, or 0 where none stands there (RFC 3629).
size_t Utf8Length(absl::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool outside = (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : length;
}

// Bytes of names that are no UTF-8, which JSON cannot hold, become U+FFFD.
std::string JsonQuote(absl::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = Utf8Length(text);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&result, "\\", absl::string_view(&c, 1));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&result, "\\u00", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      absl::StrAppend(&result, length == 0 ? "\xef\xbf\xbd" : text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result + "\"";
}

std::string AttrText::operator()(const std::string& value) const {
  return json ? JsonQuote(value) : Quote(value);
}

std::string DimsText(const std::vector<int64_t>& dims) { return absl::StrJoin(dims, ","); }

void AppendAttrs(const Node& node, std::string* out) {
  if (node.attrs.empty()) return;
  absl::StrAppend(out, " {",
                  absl::StrJoin(node.attrs, ", ",
                                [](std::string* part, const auto& entry) {
                                  absl::StrAppend(part, Name(entry.first), "=",
                                                  std::visit(AttrText{}, entry.second));
                                }),
                  "}");
}

std::string ValuesText(const std::vector<NodeId>& numbers, const std::vector<NodeId>& ids) {
  return absl::StrJoin(ids, ", ", [&numbers](std::string* out, NodeId id) {
    absl::StrAppend(out, ValueText(numbers, id));
  });
}

std::string NodeText(const Module& module, const std::vector<NodeId>& numbers, NodeId id) {
  const Node& node = module.node(id);
  std::string text = absl::StrCat(ValueText(numbers, id), " = ", Name(node.op));
  if (!node.operands.empty()) {
    absl::StrAppend(&text, " ", ValuesText(numbers, node.operands));
  }
  AppendAttrs(node, &text);
  absl::StrAppend(&text, " : ", ToString(node.type));
  if (!node.location.empty()) absl::StrAppend(&text, " @ ", Quote(node.location));
  return text;
}

}  // namespace

std::string PrintNode(const Module& module, NodeId id) {
  return NodeText(module, Numbers(module), id);
}

std::string Print(const Module& module) { return PrintNumbered(module, Numbers(module)); }

std::string PrintNumbered(const Module& module, const std::vector<NodeId>& numbers) {
  std::string text = absl::StrCat("module ", Quote(module.name), " {\n");
  for (const SourceTensor& tensor : module.tensors) {
    absl::StrAppend(&text, "  tensor ", Quote(tensor.name), " : ", Name(tensor.dtype), "[",
                    DimsText(tensor.dims), "] {file=", tensor.file, ", offset=", tensor.offset,
                    "}\n");
  }
  for (NodeId id : module.order()) {
    absl::StrAppend(&text, "  ", NodeText(module, numbers, id), "\n");
  }
  absl::StrAppend(&text, "  return ", ValuesText(numbers, module.outputs), "\n}\n");
  return text;
}

std::vector<int> LinesOf(const Module& module) {
  std::vector<int> lines(module.id_bound(), 0);
  int next = 2 + static_cast<int>(module.tensors.size());  // behind the module's own line
  for (NodeId id : module.order()) lines[id] = next++;
  return lines;
}

std::string PrintJson(const Module& module) {
  const std::vector<NodeId> numbers = Numbers(module);
  const auto number = [&numbers](std::string* out, NodeId id) {
    absl::StrAppend(out, numbers[id]);
  };
  std::string text = absl::StrCat("{\"name\": ", JsonQuote(module.name), ",\n \"tensors\": [");
  absl::string_view comma = "";
  for (const SourceTensor& tensor : module.tensors) {
    absl::StrAppend(&text, comma, "\n  {\"name\": ", JsonQuote(tensor.name), ", \"type\": \"",
                    Name(tensor.dtype), "\", \"dims\": [", DimsText(tensor.dims),
                    "], \"file\": ", tensor.file, ", \"offset\": ", tensor.offset,
                    ", \"bytes\": ", tensor.bytes, "}");
    comma = ",";
  }
  absl::StrAppend(&text, "],\n \"nodes\": [");
  comma = "";
  for (NodeId id : module.order()) {
    const Node& node = module.node(id);
    absl::StrAppend(
        &text, comma, "\n  {\"id\": ", numbers[id], ", \"op\": \"", Name(node.op),
        "\", \"operands\": [", absl::StrJoin(node.operands, ", ", number), "], \"attributes\": {",
        absl::StrJoin(node.attrs, ", ",
                      [](std::string* part, const auto& entry) {
                        absl::StrAppend(part, "\"", Name(entry.first),
                                        "\": ", std::visit(AttrText{.json = true}, entry.second));
                      }),
        "}, \"type\": \"", ToString(node.type), "\", \"location\": ", JsonQuote(node.location),
        "}");
    comma = ",";
  }
  return absl::StrCat(text, "],\n \"outputs\": [", absl::StrJoin(module.outputs, ", ", number),
                      "]}\n");
}

}  // namespace weft::ir
