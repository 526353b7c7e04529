// Names that come from the user (model ids) and from the server (files of a repository), checked
// before they become paths.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/options.h"

namespace weft {

// "org/name" or "org/name:SELECTOR", the selector being a .gguf file of the repository or a
// quantisation such as Q4_K_M.
struct HubName {
  std::string id;
  std::string selector;  // empty: none
};

// InvalidArgument unless the id is one the hub could have given: two parts of letters, digits, '-',
// '_', '.', at most 96 each, without "--" and "..", not starting or ending with '-' or '.'.
absl::StatusOr<HubName> ParseHubName(absl::string_view name);

// A relative path of plain parts: ASCII letters, digits and "._-+=@,() ", no part that starts with
// '.', is empty or is longer than 200 bytes, at most 8 parts.
bool IsSafeFileName(absl::string_view name);

// What to fetch of a repository.
struct FileSelection {
  ModelKind kind = ModelKind::kFolder;
  std::vector<std::string>
      files;  // safe names; the .gguf alone, or config, tokenizer, then weights
  bool sharded =
      false;  // files has the index of the shards; the shards are named in it (ShardsOfIndex)
};

inline constexpr absl::string_view kShardIndex = "model.safetensors.index.json";

// Chooses from all file names of a repository (untrusted, in any order). Without a selector:
// config.json with model.safetensors or, failing that, its sharded index; else one .gguf, by
// preference Q8_0. With a selector: that .gguf. NotFound names what the repository has instead.
absl::StatusOr<FileSelection> SelectFiles(const std::vector<std::string>& names,
                                          absl::string_view selector);

// The files named by the weight_map of a model.safetensors.index.json, sorted, each once; `where`
// is for messages. InvalidArgument for anything but safe .safetensors names.
absl::StatusOr<std::vector<std::string>> ShardsOfIndex(absl::string_view json,
                                                       const std::string& where);

}  // namespace weft
