#include "runtime/plan/side_files.h"

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/clear_json.h"
#include "runtime/base/file_name.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/posix_error.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/json_fields.h"
#include "runtime/plan/weight_pages.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxFiles = 99999;  // five digits

// magic[8], u32 number from 1, u32 count, u64 bytes of weights, u64 checksum of these.
constexpr size_t kHeaderFieldBytes = 32;
using Header = std::array<uint8_t, kHeaderFieldBytes>;

Header EncodeHeader(absl::Span<const SideFile> files, size_t index) {
  Header header = {};
  uint8_t* to = std::copy(kSideFileMagic.begin(), kSideFileMagic.end(), header.data());
  const auto append = [&to](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) *to++ = static_cast<uint8_t>(value >> (8 * i));
  };
  append(index + 1, 4);
  append(files.size(), 4);
  append(files[index].bytes, 8);
  append(files[index].checksum, 8);
  return header;
}

std::string NameOf(const std::string& plan_name, size_t index, size_t count) {
  const std::string stem =
      absl::EndsWith(plan_name, ".weft") ? plan_name.substr(0, plan_name.size() - 5) : plan_name;
  return absl::StrCat(stem, "-", absl::Dec(index + 1, absl::kZeroPad5), "-of-",
                      absl::Dec(count, absl::kZeroPad5), ".weftw");
}

// Beside the plan; or, where that is a link, beside what it leads to.
fs::path PathOf(const std::string& plan_path, const std::string& name) {
  fs::path beside = fs::path(plan_path).parent_path() / name;
  std::error_code error;
  if (fs::exists(beside, error) || !fs::is_symlink(plan_path, error)) return beside;
  const fs::path real = fs::canonical(plan_path, error);
  return error ? beside : real.parent_path() / name;
}

}  // namespace

std::string SideFilesToJson(absl::Span<const SideFile> files) {
  json list = json::array();
  for (const SideFile& file : files)
    list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"checksum", file.checksum}});
  return PrintJson({{"files", std::move(list)}});
}

absl::StatusOr<std::vector<SideFile>> SideFilesFromJson(absl::string_view text,
                                                        const std::string& where) {
  absl::StatusOr<json> document = ParseJsonObject(text, where);
  if (!document.ok()) return document.status();
  const ClearsJson clears(*document);
  PlanFields fields(*document, where);
  std::vector<SideFile> files;
  uint64_t total = 0;
  fields.Objects("files", [&](PlanFields& file) {
    files.push_back({file.String("name"), file.Uint("bytes"), file.Uint("checksum")});
    const SideFile& read = files.back();
    if (!IsPlainFileName(read.name)) {
      file.Fail(absl::StrCat("name '", absl::CHexEscape(read.name),
                             "' is not that of a file beside the plan"));
    }
    constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
    if (read.bytes == 0 || read.bytes > kMaxBytes - total) file.Fail("bytes are out of bounds");
    total += read.bytes;
  });
  for (size_t i = 0; i + 1 < files.size(); ++i) {
    if (files[i].bytes % kPage != 0)
      fields.Fail(absl::StrCat("files[", i, "].bytes are no multiple of ", kPage));
  }
  if (files.empty() || files.size() > kMaxFiles)
    fields.Fail(absl::StrCat("files has ", files.size(), " entries, not 1 to ", kMaxFiles));
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  return files;
}

absl::StatusOr<MappedBlock::Part> OpenSideFile(const std::string& plan_path,
                                               absl::Span<const SideFile> files, size_t index) {
  const SideFile& expected = files[index];
  const std::string path = PathOf(plan_path, expected.name).string();
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path, /*guarded=*/true);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(absl::StrCat(path, ": not found; it holds a part of the weights of ",
                                            plan_path, " (", files.size(),
                                            " such files belong beside it)"));
  }
  if (!file.ok()) return file.status();
  const uint64_t size = (*file)->bytes().size();
  if (size != kSideFileHeaderBytes + expected.bytes) {
    return absl::DataLossError(absl::StrCat(
        path, ": has ", size, " bytes, the plan says ", kSideFileHeaderBytes + expected.bytes,
        " (damaged or incomplete; copy it again, or compile the model again)"));
  }
  Header header;
  if (absl::Status status = (*file)->Read(0, absl::MakeSpan(header)); !status.ok()) return status;
  const Header wanted = EncodeHeader(files, index);
  if (header != wanted) {
    const auto differs = std::mismatch(header.begin(), header.end(), wanted.begin()).first;
    return absl::DataLossError(
        absl::StrCat(path, ": is not part ", index + 1, " of ", files.size(), " of the weights of ",
                     plan_path, ": its header differs at byte ", differs - header.begin(),
                     " (of another plan, renamed or damaged)"));
  }
  return MappedBlock::Part{*std::move(file), kSideFileHeaderBytes, expected.bytes};
}

absl::StatusOr<std::unique_ptr<SideFileWriter>> SideFileWriter::Create(const std::string& plan_path,
                                                                       uint64_t bytes,
                                                                       uint64_t file_bytes) {
  WEFT_CHECK(file_bytes >= kMinSideFileBytes);
  const uint64_t part = (file_bytes - kSideFileHeaderBytes) / kPage * kPage;
  const uint64_t count = (bytes + part - 1) / part;
  if (count > kMaxFiles) {
    return absl::InvalidArgumentError(absl::StrCat(
        plan_path, ": ", bytes, " bytes of weights in side files of ", file_bytes, " bytes are ",
        count, " files, more than ", kMaxFiles, "; give a larger --split-size"));
  }
  auto writer = std::unique_ptr<SideFileWriter>(new SideFileWriter());
  const fs::path plan(plan_path);
  if (!IsPlainFileName(NameOf(plan.filename().string(), 0, std::max<uint64_t>(count, 1)))) {
    return absl::InvalidArgumentError(
        absl::StrCat(plan_path,
                     ": side files cannot be named after it (a name of at most 240 bytes, without "
                     "'\\' and control characters, or no --split-size)"));
  }
  // Address space for all; the files' maps take its place one by one.
  void* const reserved =
      mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return PosixError(errno, plan_path, "map into memory");
  auto* const data = static_cast<uint8_t*>(reserved);
  absl::Status status;
  uint64_t at = 0;
  for (uint64_t i = 0; i < count && status.ok(); ++i) {
    const uint64_t size = std::min(part, bytes - at);
    SideFile file = {NameOf(plan.filename().string(), i, count), size, 0};
    auto created = AtomicFileWriter::Create((plan.parent_path() / file.name).string());
    status = created.status();
    if (!status.ok()) break;
    writer->writers_.push_back(*std::move(created));
    writer->files_.push_back(std::move(file));
    static constexpr std::array<uint8_t, kSideFileHeaderBytes> kHeader = {};  // written at the end
    status = writer->writers_.back()->Append(absl::MakeConstSpan(kHeader));
    if (status.ok()) status = writer->writers_.back()->AppendMapped(size, data + at).status();
    if (status.ok()) at += size;
  }
  if (!status.ok()) {
    // What the files have taken so far, they give back.
    munmap(data + at, bytes - at);
    return status;
  }
  writer->weights_ = absl::MakeSpan(data, bytes);
  return writer;
}

SideFileWriter::~SideFileWriter() {
  for (const std::string& path : published_) unlink(path.c_str());
}

absl::StatusOr<std::vector<SideFile>> SideFileWriter::Finish() {
  uint64_t at = 0;
  for (SideFile& file : files_) {
    file.checksum = ChecksumAndRelease(weights_.subspan(at, file.bytes));
    at += file.bytes;
  }
  weights_ = {};
  for (size_t i = 0; i < files_.size(); ++i) {
    const Header header = EncodeHeader(files_, i);
    if (absl::Status status = writers_[i]->WriteAt(0, header); !status.ok()) return status;
  }
  return files_;
}

absl::Status SideFileWriter::Flush() {
  for (const auto& writer : writers_) {
    if (absl::Status status = writer->Flush(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SideFileWriter::Publish() {
  for (const auto& writer : writers_) {
    if (absl::Status status = writer->Publish(); !status.ok()) return status;
    published_.push_back(writer->target());
  }
  return absl::OkStatus();
}

}  // namespace weft
