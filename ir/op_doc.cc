#include "ir/op_doc.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/op.h"

namespace weft::ir {
namespace {

constexpr char kPreamble[] = R"(# IR reference

Made from `ir/ops.def` by `scripts/update-docs`; CI fails when it is stale. Do not edit.

A module declares the tensors of the model files it refers to, then nodes in program order, then what it returns:

```
module "name" {
  tensor "model.norm.weight" : bf16[576] {file=0, offset=1024}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="model.norm.weight"} : bf16[576] @ "model.norm"
  return %0
}
```

- **Values** `%n` are defined once, before their use; Print numbers them in program order. Behind `@` stands the location, the
  model's own name for what is computed.
- **Types** are an element type, dims and, where it is not row-major, a layout: `f32[T,576]`, `q8_0[1536,576]{panels16}`. A dim
  is a number or a symbol: `T` tokens of this step, `L` the last rows of them whose logits are wanted, `S` cached positions.
- **Attributes** stand in the order of the table: `true` or `false`, `7`, `1e-06` (also `inf`, `-inf`, `nan`), `"text"` with
  the escapes of C, and lists `[1, 2]` of them.
- **Tensors** name bytes of file number `file` from `offset` on; their type gives how many. At most 2^48 values.
- **Bounds**: 131,072 nodes; 65,536 heads; 2,048 bytes of a tensor's name; 16 weights in a `concat`, `pack` or `matmul`, where those of its
  operands count as often as they occur.
- `//` starts a comment. `parse(print(m))` prints the same.

)";

std::string Arity(const OpInfo& info) {
  if (info.max_operands < 0) return absl::StrCat(info.min_operands, " or more");
  if (info.max_operands == info.min_operands) return absl::StrCat(info.min_operands);
  return absl::StrCat(info.min_operands, " to ", info.max_operands);
}

void AppendAttr(Attr attr, bool required, std::string* out) {
  const AttrInfo& info = GetInfo(attr);
  absl::StrAppend(out, "- `", info.name, "` (", Name(info.kind), required ? ", required" : "",
                  "): ", info.doc, "\n");
}

}  // namespace

std::string OpReference() {
  std::string text = absl::StrCat(kPreamble, "## Ops\n");
  for (const OpInfo& info : AllOps()) {
    absl::StrAppend(&text, "\n### `", info.name, "`\n\n", info.doc, " Operands: ", Arity(info),
                    ".\n");
    if (!info.required.empty() || !info.optional.empty()) text += "\n";
    for (Attr attr : info.required) AppendAttr(attr, true, &text);
    for (Attr attr : info.optional) AppendAttr(attr, false, &text);
  }
  text +=
      "\n## Attributes of scheduled modules\n\n`schedule` and `plan-memory` put these on any "
      "op.\n\n";
  for (const AttrInfo& info : AllAttrs()) {
    if (IsScheduleAttr(info.attr)) AppendAttr(info.attr, false, &text);
  }
  return text;
}

}  // namespace weft::ir
