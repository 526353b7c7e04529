#include "codegen/pack/pack.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "codegen/layout.h"
#include "codegen/worker_threads.h"
#include "runtime/abi/check.h"
#include "runtime/abi/q8_0.h"

namespace weft::codegen {
namespace {

using absl::Status;
using ir::Attr;
using ir::Node;
using ir::SourceTensor;

// So much is packed before its pages, and those it came from, are given back: takes tens of
// milliseconds, beside which starting threads for it counts for nothing.
constexpr int64_t kPieceBytes = int64_t{32} << 20;

// Runs task(0 … count-1) on `threads` threads. Of errors that of the lowest task wins, whatever the
// threads do: tasks are taken in order, so those below one that failed all run to their end.
Status ParallelFor(int threads, int64_t count, const std::function<Status(int64_t)>& task) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  absl::Mutex mutex;
  Status first;
  int64_t lowest = count;
  const auto work = [&] {
    // Who has taken a task runs it, even if another has failed meanwhile.
    while (!failed) {
      const int64_t i = next++;
      if (i >= count) return;
      if (Status status = task(i); !status.ok()) {
        failed = true;
        absl::MutexLock lock(&mutex);
        if (i < lowest) first = status;
        lowest = std::min(lowest, i);
      }
    }
  };
  RunOnThreads(std::min<int64_t>(threads, count), work);
  return first;
}

// Rows of one weight node: straight from the file, or from an F32 copy of them where the file holds
// the transpose.
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
    copy_.resize(static_cast<size_t>(width_ * count_));
    const int64_t at_once = std::max<int64_t>(1, kPieceBytes / (4 * tensor_.dims[1]));
    for (int64_t k = 0; k < width_; ++k) {
      if (Status status = reader_.Read(tensor_, k * tensor_.dims[1] + first_,
                                       absl::MakeSpan(copy_).subspan(k * count_, count_));
          !status.ok())
        return status;
      if ((k + 1) % at_once == 0) Release();
    }
    return absl::OkStatus();
  }

  int64_t count() const { return count_; }
  int64_t width() const { return width_; }

  absl::string_view name() const { return tensor_.name; }

  // Where the file's tensor has column `column` of the node's row: "[3, 40]".
  std::string Index(int64_t row, int64_t column) const {
    return transposed_ ? absl::StrCat("[", column, ", ", first_ + row, "]")
                       : absl::StrCat("[", first_ + row, ", ", column, "]");
  }

  // Row `row` of the node as F32.
  Status Read(int64_t row, absl::Span<float> out) const {
    if (!transposed_) return reader_.Read(tensor_, (first_ + row) * width_, out);
    for (int64_t k = 0; k < width_; ++k) out[k] = copy_[k * count_ + row];
    return absl::OkStatus();
  }

  // The same of several rows, which the file does not hold transposed.
  Status ReadRows(int64_t row, int64_t rows, float* out) const {
    return reader_.Read(tensor_, (first_ + row) * width_, absl::MakeSpan(out, rows * width_));
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
  std::vector<float> copy_;  // [width][count]
};

// Buffers of one row, of one thread.
struct RowBuffer {
  std::vector<float> values;    // padded with zeros to whole blocks
  std::vector<uint8_t> blocks;  // Q8_0
};

// The first of a row's blocks whose scale is NaN or infinite; `count` where none is.
int64_t FirstUnusable(const uint8_t* blocks, int64_t count) {
  constexpr uint8_t kExponent = 0x7C;  // of an F16, in its upper byte: all ones in both
  int64_t block = 0;
  while (block < count && (blocks[block * kQ8BlockBytes + 1] & kExponent) != kExponent) ++block;
  return block;
}

// Why the block cannot be used, with what to do. `values` are those it was made of; null where it
// stood so in the file.
Status Unusable(const WeightRows& weight, int64_t row, int64_t block, const float* values) {
  std::string what;
  int64_t column = block * kBlock;
  if (values == nullptr) {
    what = "begins a q8_0 block whose scale is infinite or NaN";
  } else {
    const float* const begin = values + column;
    const float* const end = begin + kBlock;
    const auto smaller = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const float* worst = std::find_if(begin, end, [](float x) { return !std::isfinite(x); });
    if (worst == end) worst = std::max_element(begin, end, smaller);
    column = worst - values;
    what = std::isnan(*worst) ? "is NaN, which q8_0 cannot hold"
           : std::isinf(*worst)
               ? "is infinite, which q8_0 cannot hold"
               : absl::StrCat("is ", *worst,
                              ", too large for q8_0, whose scales are F16 and hold "
                              "1/127 of a block's largest value");
  }
  return absl::DataLossError(absl::StrCat(
      "tensor '", weight.name(), "': the value at ", weight.Index(row, column), " ", what,
      "; damaged weights? --weight-format '", weight.name(), "=f32' takes them as they are"));
}

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
      const int64_t unusable = FirstUnusable(*blocks, Blocks(width));
      if (unusable < Blocks(width)) return Unusable(weight, row, unusable, nullptr);
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
    const int64_t unusable = FirstUnusable(buffer->blocks.data(), Blocks(width));
    if (unusable < Blocks(width)) return Unusable(weight, row, unusable, buffer->values.data());
    ScatterBlocks(buffer->blocks.data(), Blocks(width), lane, panel);
  }
  return absl::OkStatus();
}

// On several threads, since copying into a new file mostly waits for its pages.
void CopyOnThreads(absl::Span<const uint8_t> from, uint8_t* to, int threads) {
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

class Packer {
 public:
  Packer(const ir::Module& module, const ir::WeightReader& reader, absl::Span<uint8_t> weights,
         const PackOptions& options)
      : module_(module), reader_(reader), weights_(weights), options_(options) {}

  Status Pack(const Node& node) {
    const auto address = static_cast<uint64_t>(node.Int(Attr::kAddress));
    const auto bytes = static_cast<uint64_t>(node.Int(Attr::kBytes));
    WEFT_CHECK(address % 64 == 0 && bytes <= weights_.size() && address <= weights_.size() - bytes);
    uint8_t* const out = weights_.data() + address;
    if (node.op == ir::Op::kRopeTable) {
      FillRopeTable(node, out);
      return Finish({}, out, static_cast<int64_t>(bytes));
    }
    if (options_.earlier != nullptr) {
      const absl::Span<const uint8_t> packed = options_.earlier->Find(module_, node);
      if (!packed.empty()) return Copy(packed, out);
    }
    std::vector<WeightRows> parts;
    for (ir::NodeId operand : node.operands) {
      if (module_.node(operand).op != ir::Op::kWeight) {
        return absl::InternalError(
            absl::StrCat("a pack takes weights, not ", ir::Name(module_.node(operand).op)));
      }
      parts.emplace_back(module_, reader_, module_.node(operand));
      if (Status status = parts.back().Prepare(); !status.ok()) return status;
    }
    return node.type.layout == ir::Layout::kRows ? PackRows(parts, out)
                                                 : PackPanels(parts, node, out);
  }

  uint64_t copied() const { return copied_; }

 private:
  Status Copy(absl::Span<const uint8_t> packed, uint8_t* out) {
    for (size_t at = 0; at < packed.size(); at += kPieceBytes) {
      const absl::Span<const uint8_t> piece = packed.subspan(at, kPieceBytes);
      CopyOnThreads(piece, out + at, options_.threads);
      copied_ += piece.size();
      if (options_.release) options_.release(piece);
      if (Status status = Finish({}, out + at, static_cast<int64_t>(piece.size())); !status.ok())
        return status;
    }
    return absl::OkStatus();
  }

  Status PackPanels(const std::vector<WeightRows>& parts, const Node& node, uint8_t* out) {
    const int64_t width = node.type.dims[1].value();
    const int64_t panels = Panels(node.type.dims[0].value());
    const int64_t bytes = PanelBytes(node.type.dtype, width);
    const int64_t at_once = std::max<int64_t>(1, kPieceBytes / bytes);
    for (int64_t first = 0; first < panels; first += at_once) {
      const int64_t count = std::min(at_once, panels - first);
      Status status = ParallelFor(options_.threads, count, [&](int64_t i) {
        return PackPanel(parts, node, first + i, out + (first + i) * bytes);
      });
      if (status.ok()) status = Finish(parts, out + first * bytes, count * bytes);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  static Status PackPanel(const std::vector<WeightRows>& parts, const Node& node, int64_t panel,
                          uint8_t* out) {
    const int64_t rows = node.type.dims[0].value();
    const int64_t width = node.type.dims[1].value();
    RowBuffer buffer{std::vector<float>(Blocks(width) * kBlock, 0.0F),
                     std::vector<uint8_t>(Blocks(width) * kQ8BlockBytes)};
    const int64_t first = node.type.layout == ir::Layout::kPanels16x2
                              ? panel % 2 * (rows / 2) + panel / 2 * kPanelRows
                              : panel * kPanelRows;
    for (int64_t lane = 0; lane < kPanelRows && first + lane < rows; ++lane) {
      int64_t row = first + lane;
      size_t part = 0;
      while (row >= parts[part].count()) row -= parts[part++].count();
      if (Status status = PackRow(parts[part], row, node.type.dtype, lane, out, &buffer);
          !status.ok())
        return status;
    }
    return absl::OkStatus();
  }

  Status PackRows(const std::vector<WeightRows>& parts, uint8_t* out) {
    for (const WeightRows& part : parts) {
      const int64_t at_once = std::max<int64_t>(1, kPieceBytes / (4 * part.width()));
      for (int64_t row = 0; row < part.count(); row += at_once) {
        const int64_t rows = std::min(at_once, part.count() - row);
        const int64_t bytes = rows * part.width() * 4;
        Status status = part.ReadRows(row, rows, reinterpret_cast<float*>(out));
        if (status.ok()) status = Finish(absl::MakeConstSpan(&part, 1), out, bytes);
        if (!status.ok()) return status;
        out += bytes;
      }
    }
    return absl::OkStatus();
  }

  // `bytes` from `out` on are there, and came from `parts`.
  Status Finish(absl::Span<const WeightRows> parts, uint8_t* out, int64_t bytes) {
    for (const WeightRows& part : parts) part.Release();
    if (options_.release) options_.release({out, static_cast<size_t>(bytes)});
    done_ += static_cast<uint64_t>(bytes);
    if (options_.progress) options_.progress(done_, weights_.size());
    return options_.cancel != nullptr && *options_.cancel
               ? absl::CancelledError("packing was interrupted")
               : absl::OkStatus();
  }

  const ir::Module& module_;
  const ir::WeightReader& reader_;
  const absl::Span<uint8_t> weights_;
  const PackOptions& options_;
  uint64_t done_ = 0;
  uint64_t copied_ = 0;
};

}  // namespace

absl::StatusOr<PackReport> PackWeights(const ir::Module& module, const ir::WeightReader& reader,
                                       absl::Span<uint8_t> weights, const PackOptions& options) {
  if (options.cancel != nullptr && *options.cancel)
    return absl::CancelledError("packing was interrupted");
  Packer packer(module, reader, weights, options);
  for (ir::NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op != ir::Op::kPack && node.op != ir::Op::kRopeTable) continue;
    Status status = packer.Pack(node);
    if (absl::IsCancelled(status)) return status;
    if (!status.ok()) {
      return Status(status.code(),
                    absl::StrCat("packing '", node.location, "': ", status.message()));
    }
  }
  if (Status status = reader.CheckUnchanged(); !status.ok()) return status;
  return PackReport{packer.copied()};
}

}  // namespace weft::codegen
