// Fetches one repository of the hub into the Hugging Face cache.
#pragma once

#include "absl/status/statusor.h"
#include "frontends/hub/environment.h"
#include "frontends/hub/model_name.h"
#include "frontends/hub/options.h"

namespace weft {

// Asks the hub what main is now and downloads what of it is missing or of another size. Files that
// are there are not asked about again where the hub's list has their sizes, since a commit does not
// change; refs/main is written last, when all files are there. If the hub cannot be reached and the
// cache holds a complete model, that one is the answer, and a note says so. Ignores
// HubEnvironment::offline. Errors: those of HubClient and of the file system; each begins with the
// id.
absl::StatusOr<ResolvedModel> PullRepo(const HubName& name, const HubEnvironment& environment,
                                       const HubOptions& options);

}  // namespace weft
