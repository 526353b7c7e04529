#include "tools/perf_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/profile_table.h"

namespace weft::tools {

std::string PerfMap(const Program& program, absl::Span<const codegen::JitSymbol> symbols) {
  std::map<std::string, std::vector<std::string>> ops;
  for (const Step& step : program.steps) {
    std::vector<std::string>& names = ops[step.kernel];
    const std::string name = OpName(step);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const codegen::JitSymbol& symbol : symbols) {
    const auto found = ops.find(symbol.name);
    const std::string before =
        found == ops.end() ? "" : absl::StrCat(absl::StrJoin(found->second, ", "), ": ");
    absl::StrAppendFormat(&text, "%x %x %s%s\n", symbol.address, symbol.bytes, before, symbol.name);
  }
  return text;
}

absl::Status WritePerfMap(const Program& program, absl::Span<const codegen::JitSymbol> symbols) {
  const std::string path = absl::StrCat("/tmp/perf-", getpid(), ".map");
  const std::string text = PerfMap(program, symbols);
  // Others may write to the folder: what they put there under this name is not followed, nor waited
  // for.
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  const ssize_t written = write(file, text.data(), text.size());
  const int error = errno;
  const bool closed = close(file) == 0;
  if (written == static_cast<ssize_t>(text.size()) && closed) return absl::OkStatus();
  return absl::ErrnoToStatus(written < 0 ? error : ENOSPC, absl::StrCat("cannot write ", path));
}

}  // namespace weft::tools
