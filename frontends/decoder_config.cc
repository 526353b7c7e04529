#include "frontends/decoder_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace weft {

int DecoderConfig::AddRope(RopeConfig rope) {
  const auto found = std::ranges::find(ropes, rope.inv_freq, &RopeConfig::inv_freq);
  if (found != ropes.end()) return static_cast<int>(found - ropes.begin());
  ropes.push_back(std::move(rope));
  return static_cast<int>(ropes.size()) - 1;
}

absl::Status ValidateConfig(const DecoderConfig& config) {
  const auto bad = [&](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(config.source, ": ", parts...));
  };
  if (config.kv_heads < 1 || config.heads % config.kv_heads != 0) {
    return bad(config.fields.kv_heads, " is ", config.kv_heads, ", which does not divide ",
               config.fields.heads, " = ", config.heads);
  }
  if (static_cast<int64_t>(config.layers.size()) * config.kv_heads > kMaxCachedHeads) {
    return bad(config.fields.kv_heads, " = ", config.kv_heads, " times ", config.layers.size(),
               " layers is above ", kMaxCachedHeads);
  }
  // Rows of q; also bounds those of k and v.
  if (config.heads * config.head_dim > kMaxModelDim) {
    return bad(config.fields.heads, " = ", config.heads, " times ", config.fields.head_dim, " = ",
               config.head_dim, " is above ", kMaxModelDim);
  }
  for (const RopeConfig& rope : config.ropes) {
    const auto rotated = static_cast<int64_t>(2 * rope.inv_freq.size());
    if (rotated < 2 || rotated > config.head_dim) {
      return bad("rotary embeddings turn ", rotated, " columns of a head, which has ",
                 config.fields.head_dim, " = ", config.head_dim);
    }
  }
  return absl::OkStatus();
}

}  // namespace weft
