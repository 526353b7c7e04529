// From tokens back to text, as in the "decoder" field of tokenizer.json (Hugging Face tokenizers),
// one token at a time: decoding a whole list is the same stream, fed at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/text/normalizer.h"
#include "runtime/text/pre_tokenizer.h"

namespace weft {

class Decoder {
 public:
  // `config` is the value of the field; null puts a blank between tokens, as Hugging Face does.
  // Known types: Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace. After Fuse or
  // ByteLevel, which leave one text, only Strip and Fuse may follow. `where` begins each message.
  static absl::StatusOr<Decoder> Create(const nlohmann::json& config, const std::string& where,
                                        PatternBudget& patterns);
  static absl::StatusOr<Decoder> Create(const nlohmann::json& config, const std::string& where) {
    PatternBudget patterns;
    return Create(config, where, patterns);
  }

  // The bytes that one token stands for by itself, without what Strip would take; not always whole
  // characters.
  // A step of the file that makes too much of it for the budget, or takes too long, is left out.
  std::string TokenBytes(std::string_view token, TextBudget& budget) const;

  // When a run of byte tokens (<0xNN>) is turned into characters.
  enum class ByteRuns {
    // At the end of the run; a run that is not valid UTF-8 becomes U+FFFD for each byte, as in
    // Hugging Face tokenizers.
    kWhole,
    // Each character as soon as it is complete; U+FFFD for each byte that can belong to none. As
    // kWhole where a later
    // step treats the run as one piece (Strip before Fuse, Metaspace).
    kPrompt,
  };

  class Stream {
   public:
    // `decoder` must outlive the stream.
    Stream(const Decoder& decoder, ByteRuns byte_runs);
    // Appends to `out` the text that is certain after this token.
    void Add(std::string_view token, std::string* out);
    // Appends what was held back; the stream then starts anew.
    void Finish(std::string* out);

   private:
    struct State {
      std::string held;      // bytes of an unfinished character or run
      size_t left = 0;       // Strip on fused text: how many more may go
      size_t blanks = 0;     // Strip on fused text: held back, since they may be the last ones
      bool started = false;  // a token came by
    };
    void Reset();
    void Push(size_t step, std::string_view piece, std::string* out);
    void Flush(size_t step, std::string* out);
    void PushBytes(size_t step, std::string_view piece, std::string* out);
    void EmitByteRun(size_t step, bool ended, std::string* out);
    void PushFusedStrip(size_t step, std::string_view piece, std::string* out);

    const Decoder* decoder_;
    ByteRuns byte_runs_;
    TextBudget budget_;          // of the whole text, which each token adds to
    std::vector<State> states_;  // one for each step
  };

 private:
  enum class Kind { kByteLevel, kReplace, kByteFallback, kStrip, kFusedStrip, kMetaspace, kJoin };
  struct Step {
    Kind kind;
    std::vector<Replacer> replacer;  // one, or none
    std::string content;             // Strip: one character
    size_t start = 0, stop = 0;      // Strip: how many to take at each end
    MetaspaceConfig metaspace;
  };

  absl::Status AddSteps(const nlohmann::json& config, const std::string& where, int depth,
                        PatternBudget& patterns);

  std::vector<Step> steps_;
  bool fused_ = false;  // while steps are added: the pieces have become one text
  bool whole_runs_ = false;
};

}  // namespace weft
