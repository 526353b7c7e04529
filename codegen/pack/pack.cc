#include "codegen/pack/pack.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "codegen/layout.h"
#include "runtime/abi/check.h"
#include "runtime/abi/q8_0.h"

namespace weft::codegen {
namespace {

using absl::Status;
using ir::Attr;
using ir::Node;
using ir::SourceTensor;

// Runs task(0 … count-1) on `threads` threads; the first error wins.
Status ParallelFor(int threads, int64_t count, const std::function<Status(int64_t)>& task) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  absl::Mutex mutex;
  Status first;
  const auto work = [&] {
    for (int64_t i = next++; i < count && !failed; i = next++) {
      if (Status status = task(i); !status.ok()) {
        failed = true;
        absl::MutexLock lock(&mutex);
        if (first.ok()) first = status;
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int64_t i = 1; i < std::min<int64_t>(threads, count); ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  return first;
}

// Rows of one weight node: straight from the file, or from an F32 copy where the file holds the
// transpose.
class WeightRows {
 public:
  WeightRows(const ir::Module& module, const ir::WeightReader& reader, const Node& weight)
      : reader_(reader),
        tensor_(*module.FindTensor(weight.String(Attr::kTensor))),
        transposed_(weight.Bool(Attr::kTransposed)) {
    WEFT_CHECK(weight.op == ir::Op::kWeight);
    const auto rows = weight.Ints(Attr::kRows);
    first_ = rows.empty() ? 0 : rows[0];
    count_ = weight.type.dims[0].value();
    width_ = weight.type.rank() == 2 ? weight.type.dims[1].value() : 1;
  }

  Status Prepare() {
    if (!transposed_) return absl::OkStatus();
    whole_.resize(static_cast<size_t>(tensor_.dims[0] * tensor_.dims[1]));
    return reader_.Read(tensor_, 0, absl::MakeSpan(whole_));
  }

  int64_t count() const { return count_; }
  int64_t width() const { return width_; }

  // Row `row` of the node as F32.
  Status Read(int64_t row, absl::Span<float> out) const {
    if (!transposed_) return reader_.Read(tensor_, (first_ + row) * width_, out);
    for (int64_t k = 0; k < width_; ++k) out[k] = whole_[k * tensor_.dims[1] + first_ + row];
    return absl::OkStatus();
  }

  Status ReadAll(float* out) const {
    return reader_.Read(tensor_, first_ * width_, absl::MakeSpan(out, count_ * width_));
  }

  // The row's Q8_0 blocks as they stand in the file; null where it holds something else.
  absl::StatusOr<const uint8_t*> Blocks(int64_t row) const {
    if (tensor_.dtype != DataType::kQ8_0) return nullptr;
    absl::StatusOr<absl::Span<const uint8_t>> raw = reader_.Raw(tensor_);
    if (!raw.ok()) return raw.status();
    return raw->data() + (first_ + row) * width_ / kQ8BlockValues * kQ8BlockBytes;
  }

  void Release() const { reader_.Release(tensor_); }

 private:
  const ir::WeightReader& reader_;
  const SourceTensor& tensor_;
  bool transposed_;
  int64_t first_, count_, width_;
  std::vector<float> whole_;
};

// Buffers of one row, of one thread.
struct RowBuffer {
  std::vector<float> values;    // padded with zeros to whole blocks
  std::vector<uint8_t> blocks;  // Q8_0
};

void ScatterFloats(const float* row, int64_t width, int64_t lane, uint8_t* panel) {
  for (int64_t k = 0; k < width; ++k) std::memcpy(panel + (k * kPanelRows + lane) * 4, row + k, 4);
}

void ScatterBlocks(const uint8_t* blocks, int64_t count, int64_t lane, uint8_t* panel) {
  for (int64_t block = 0; block < count; ++block) {
    const uint8_t* from = blocks + block * kQ8BlockBytes;
    uint8_t* to = panel + block * kPanelBlockBytes;
    std::memcpy(to + lane * 2, from, 2);
    for (int64_t group = 0; group < kBlock / 4; ++group) {
      std::memcpy(to + kScaleBytes + group * kGroupBytes + lane * 4, from + 2 + group * 4, 4);
    }
  }
}

Status PackRow(const WeightRows& weight, int64_t row, DataType format, int64_t lane, uint8_t* panel,
               RowBuffer* buffer) {
  const int64_t width = weight.width();
  if (format == DataType::kQ8_0) {
    absl::StatusOr<const uint8_t*> blocks = weight.Blocks(row);
    if (!blocks.ok()) return blocks.status();
    if (*blocks != nullptr) {
      ScatterBlocks(*blocks, Blocks(width), lane, panel);
      return absl::OkStatus();
    }
  }
  if (Status status = weight.Read(row, absl::MakeSpan(buffer->values).first(width)); !status.ok())
    return status;
  if (format == DataType::kF32) {
    ScatterFloats(buffer->values.data(), width, lane, panel);
  } else {
    QuantizeQ8_0(buffer->values.data(), Blocks(width) * kBlock, buffer->blocks.data());
    ScatterBlocks(buffer->blocks.data(), Blocks(width), lane, panel);
  }
  return absl::OkStatus();
}

Status PackPanels(const std::vector<WeightRows>& parts, const Node& node, uint8_t* out,
                  int threads) {
  const int64_t rows = node.type.dims[0].value();
  const int64_t width = node.type.dims[1].value();
  const DataType format = node.type.dtype;
  const bool halves = node.type.layout == ir::Layout::kPanels16x2;
  return ParallelFor(threads, Panels(rows), [&](int64_t panel) {
    RowBuffer buffer{std::vector<float>(Blocks(width) * kBlock, 0.0F),
                     std::vector<uint8_t>(Blocks(width) * kQ8BlockBytes)};
    const int64_t first =
        halves ? panel % 2 * (rows / 2) + panel / 2 * kPanelRows : panel * kPanelRows;
    for (int64_t lane = 0; lane < kPanelRows && first + lane < rows; ++lane) {
      int64_t row = first + lane;
      size_t part = 0;
      while (row >= parts[part].count()) row -= parts[part++].count();
      uint8_t* to = out + panel * PanelBytes(format, width);
      if (Status status = PackRow(parts[part], row, format, lane, to, &buffer); !status.ok())
        return status;
    }
    return absl::OkStatus();
  });
}

Status PackNode(const ir::Module& module, const ir::WeightReader& reader, const Node& node,
                uint8_t* out, int threads) {
  std::vector<WeightRows> parts;
  for (ir::NodeId operand : node.operands) {
    if (module.node(operand).op != ir::Op::kWeight) {
      return absl::InternalError(
          absl::StrCat("a pack takes weights, not ", ir::Name(module.node(operand).op)));
    }
    parts.emplace_back(module, reader, module.node(operand));
    if (Status status = parts.back().Prepare(); !status.ok()) return status;
  }
  if (node.type.layout != ir::Layout::kRows) {
    if (Status status = PackPanels(parts, node, out, threads); !status.ok()) return status;
  } else {
    auto* at = reinterpret_cast<float*>(out);
    for (const WeightRows& part : parts) {
      if (Status status = part.ReadAll(at); !status.ok()) return status;
      at += part.count() * part.width();
    }
  }
  for (const WeightRows& part : parts) part.Release();
  return absl::OkStatus();
}

// On several threads, since copying into a new file mostly waits for its pages.
void Copy(absl::Span<const uint8_t> from, uint8_t* to, int threads) {
  constexpr size_t kPiece = 1 << 20;
  const auto pieces = static_cast<int64_t>((from.size() + kPiece - 1) / kPiece);
  const Status status = ParallelFor(threads, pieces, [&](int64_t piece) {
    const size_t begin = static_cast<size_t>(piece) * kPiece;
    std::memcpy(to + begin, from.data() + begin, std::min(kPiece, from.size() - begin));
    return absl::OkStatus();
  });
  WEFT_CHECK(status.ok());
}

// Angles in F32 as the reference implementations have them; sine and cosine in F64, rounded once.
void FillRopeTable(const Node& node, uint8_t* out) {
  const auto inv_freq = node.Floats(Attr::kInvFreq);
  const auto pairs = static_cast<int64_t>(inv_freq.size());
  const double factor = node.Float(Attr::kFactor, 1.0);
  auto* row = reinterpret_cast<float*>(out);
  for (int64_t position = 0; position < node.Int(Attr::kContext); ++position, row += 2 * pairs) {
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<float>(position) * static_cast<float>(inv_freq[i]);
      row[i] = static_cast<float>(std::cos(angle) * factor);
      row[pairs + i] = static_cast<float>(std::sin(angle) * factor);
    }
  }
}

}  // namespace

absl::StatusOr<PackReport> PackWeights(const ir::Module& module, const ir::WeightReader& reader,
                                       absl::Span<uint8_t> weights, const PackOptions& options) {
  PackReport report;
  uint64_t done = 0;
  for (ir::NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op != ir::Op::kPack && node.op != ir::Op::kRopeTable) continue;
    const auto address = static_cast<uint64_t>(node.Int(Attr::kAddress));
    const auto bytes = static_cast<uint64_t>(node.Int(Attr::kBytes));
    WEFT_CHECK(address % 64 == 0 && bytes <= weights.size() && address <= weights.size() - bytes);
    if (options.cancel != nullptr && *options.cancel)
      return absl::CancelledError("packing was interrupted");
    absl::Span<const uint8_t> packed;
    if (node.op == ir::Op::kPack && options.earlier != nullptr)
      packed = options.earlier->Find(module, node);
    if (!packed.empty()) {
      Copy(packed, weights.data() + address, options.threads);
      report.copied_bytes += bytes;
    } else if (node.op == ir::Op::kRopeTable) {
      FillRopeTable(node, weights.data() + address);
    } else if (Status status =
                   PackNode(module, reader, node, weights.data() + address, options.threads);
               !status.ok()) {
      return Status(status.code(),
                    absl::StrCat("packing '", node.location, "': ", status.message()));
    }
    done += bytes;
    if (options.progress) options.progress(done, weights.size());
  }
  return report;
}

}  // namespace weft::codegen
