#include "tools/synth_model.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/safetensors_writer.h"
#include "frontends/tensor_file.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/status_macros.h"
#include "tools/synth_tokenizer.h"
#include "tools/synth_values.h"

namespace weft::tools {
namespace {

namespace fs = std::filesystem;

struct Shard {
  std::string file;
  std::vector<size_t> tensors;  // numbers in the list of all
  uint64_t bytes = 0;
};

// A file that a model folder of ours consists of.
bool IsModelFile(const std::string& name) {
  return name == "config.json" || name == "tokenizer.json" || name == "model.safetensors" ||
         name == "model.safetensors.index.json" ||
         (absl::StartsWith(name, "model-") && absl::EndsWith(name, ".safetensors"));
}

std::string Gigabytes(uint64_t bytes) {
  return absl::StrFormat("%.2f GB", static_cast<double>(bytes) / 1e9);
}

class SynthWriter {
 public:
  SynthWriter(const SynthShape& shape, std::string folder, const SynthOptions& options)
      : shape_(shape),
        folder_(std::move(folder)),
        options_(options),
        tensors_(SynthTensors(shape)) {}

  ~SynthWriter() {
    if (done_) return;
    std::error_code ignored;
    for (const std::string& path : written_) fs::remove(path, ignored);
    if (created_) fs::remove(folder_, ignored);
  }

  absl::StatusOr<SynthResult> Write() {
    WEFT_RETURN_IF_ERROR(PlanShards());
    WEFT_RETURN_IF_ERROR(PrepareFolder());
    WEFT_RETURN_IF_ERROR(WriteText("tokenizer.json", SynthTokenizerJson(shape_)));
    for (const Shard& shard : shards_) WEFT_RETURN_IF_ERROR(WriteShard(shard));
    if (shards_.size() > 1) {
      WEFT_RETURN_IF_ERROR(WriteText("model.safetensors.index.json", IndexJson().dump(2) + "\n"));
    }
    WEFT_RETURN_IF_ERROR(
        WriteText("config.json", SynthConfig(shape_, options_.type).dump(2) + "\n"));
    done_ = true;
    result_.files = static_cast<int>(shards_.size());
    return result_;
  }

 private:
  absl::Status PlanShards() {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      WEFT_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(options_.type, tensors_[i].dims));
      if (shards_.empty() ||
          (shards_.back().bytes > 0 && shards_.back().bytes + bytes > options_.shard_bytes)) {
        shards_.emplace_back();
      }
      shards_.back().tensors.push_back(i);
      shards_.back().bytes += bytes;
      result_.weight_bytes += bytes;
    }
    result_.parameters =
        static_cast<int64_t>(result_.weight_bytes / (options_.type == DataType::kF32 ? 4 : 2));
    for (size_t i = 0; i < shards_.size(); ++i) {
      shards_[i].file = shards_.size() == 1 ? "model.safetensors"
                                            : absl::StrFormat("model-%05d-of-%05d.safetensors",
                                                              i + 1, shards_.size());
    }
    return absl::OkStatus();
  }

  absl::Status PrepareFolder() {
    std::error_code error;
    created_ = fs::create_directories(folder_, error);
    if (error) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder_, ": cannot create the folder: ", error.message()));
    }
    std::vector<fs::path> old;
    uint64_t old_bytes = 0;
    for (auto entry = fs::directory_iterator(folder_, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (!options_.force) {
        return absl::AlreadyExistsError(
            absl::StrCat(folder_, ": is not empty (", entry->path().filename().string(),
                         "); name a new folder, or replace the model there with --force"));
      }
      if (!IsModelFile(entry->path().filename().string())) continue;
      old.push_back(entry->path());
      std::error_code ignored;
      const uintmax_t size = fs::file_size(entry->path(), ignored);
      if (size != static_cast<uintmax_t>(-1)) old_bytes += size;
    }
    if (error) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder_, ": cannot list the folder: ", error.message()));
    }
    WEFT_RETURN_IF_ERROR(CheckRoom(old_bytes));
    for (const fs::path& path : old) {
      fs::remove(path, error);
      if (error) {
        return absl::FailedPreconditionError(
            absl::StrCat(path.string(), ": cannot be replaced: ", error.message()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckRoom(uint64_t freed) const {
    struct statvfs device{};
    if (statvfs(folder_.c_str(), &device) != 0) return absl::OkStatus();  // writing will tell
    // What tokenizer.json and the config take beside the weights: less than 64 bytes a token.
    const uint64_t needed = result_.weight_bytes + static_cast<uint64_t>(shape_.vocab) * 64 + 65536;
    const uint64_t room = uint64_t{device.f_bavail} * device.f_frsize + freed;
    if (needed <= room) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(folder_, ": the model takes ",
                                                     Gigabytes(needed), ", but the device has ",
                                                     Gigabytes(room), " left"));
  }

  std::string PathOf(const std::string& file) const { return absl::StrCat(folder_, "/", file); }

  absl::Status WriteText(const std::string& file, const std::string& text) {
    WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFileWriter> writer,
                          AtomicFileWriter::Create(PathOf(file)));
    WEFT_RETURN_IF_ERROR(writer->Append(text));
    WEFT_RETURN_IF_ERROR(writer->Commit());
    written_.push_back(PathOf(file));
    return absl::OkStatus();
  }

  absl::Status WriteShard(const Shard& shard) {
    std::vector<SafetensorsEntry> entries;
    for (size_t i : shard.tensors)
      entries.push_back({tensors_[i].name, options_.type, tensors_[i].dims});
    WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsWriter> writer,
                          SafetensorsWriter::Create(PathOf(shard.file), entries));
    // Stays in the L2 cache between generating and writing.
    std::vector<uint8_t> buffer(256 << 10);
    for (size_t i : shard.tensors) {
      const SynthTensor& tensor = tensors_[i];
      const SynthStream stream{options_.seed, i, tensor.mean, tensor.deviation};
      WEFT_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(options_.type, tensor.dims));
      const uint64_t value_bytes = options_.type == DataType::kF32 ? 4 : 2;
      for (uint64_t at = 0; at < bytes; at += buffer.size()) {
        const auto piece =
            absl::MakeSpan(buffer).first(std::min<uint64_t>(buffer.size(), bytes - at));
        FillSynth(stream, static_cast<int64_t>(at / value_bytes), options_.type, piece);
        WEFT_RETURN_IF_ERROR(writer->Append(piece));
        done_bytes_ += piece.size();
        if (options_.progress)
          WEFT_RETURN_IF_ERROR(options_.progress(done_bytes_, result_.weight_bytes));
      }
    }
    WEFT_RETURN_IF_ERROR(writer->Commit());
    written_.push_back(PathOf(shard.file));
    return absl::OkStatus();
  }

  nlohmann::ordered_json IndexJson() const {
    // Sorted by name, as Hugging Face's own.
    nlohmann::json files;
    for (const Shard& shard : shards_) {
      for (size_t i : shard.tensors) files[tensors_[i].name] = shard.file;
    }
    return {{"metadata", {{"total_size", result_.weight_bytes}}}, {"weight_map", files}};
  }

  const SynthShape& shape_;
  const std::string folder_;
  const SynthOptions& options_;
  const std::vector<SynthTensor> tensors_;
  std::vector<Shard> shards_;
  std::vector<std::string> written_;
  uint64_t done_bytes_ = 0;
  bool created_ = false;
  bool done_ = false;
  SynthResult result_;
};

}  // namespace

absl::StatusOr<SynthResult> WriteSynthModel(const SynthShape& shape, const std::string& folder,
                                            const SynthOptions& options) {
  return SynthWriter(shape, folder, options).Write();
}

}  // namespace weft::tools
