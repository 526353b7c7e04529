// weft.h with C++'s ownership: every handle frees itself, every error is thrown. C++20.
#ifndef WEFT_HPP_
#define WEFT_HPP_

#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft.h"

namespace weft::runtime {

class Error : public std::runtime_error {
 public:
  Error(weft_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  weft_code code() const { return code_; }

 private:
  weft_code code_;
};

// Throws unless `error` is NULL.
inline void Check(weft_error* error) {
  if (error == nullptr) return;
  const Error thrown(weft_error_code(error), weft_error_message(error));
  weft_error_free(error);
  throw thrown;
}

inline void GuardTruncatedFiles() { Check(weft_guard_truncated_files()); }

struct Message {
  std::string role;
  std::string content;
};

class Plan {
 public:
  // An empty target: the best of the plan's that this CPU executes.
  explicit Plan(const std::string& path, bool no_hugepages = false, const std::string& target = "",
                bool mlock = false) {
    const weft_plan_options options = {sizeof(options), no_hugepages ? 1 : 0, target.c_str(),
                                       mlock ? 1 : 0};
    weft_plan* plan = nullptr;
    Check(weft_plan_open(path.c_str(), &options, &plan));
    plan_.reset(plan, weft_plan_close);
  }

  std::string model() const { return weft_plan_model(get()); }
  std::string target() const { return weft_plan_target(get()); }
  int64_t context() const { return weft_plan_context(get()); }
  int64_t vocab() const { return weft_plan_vocab(get()); }
  bool IsEnd(int32_t id) const { return weft_plan_is_end(get(), id) != 0; }
  void Verify() const { Check(weft_plan_verify(get())); }

  std::vector<int32_t> Tokenize(std::string_view text,
                                int flags = WEFT_ADD_SPECIAL | WEFT_PARSE_SPECIAL) const {
    // No token is shorter than a byte, but special ones stand for none.
    std::vector<int32_t> ids(text.size() + 8);
    for (;;) {
      size_t count = 0;
      Check(weft_tokenize(get(), text.data(), text.size(), flags, ids.data(), ids.size(), &count));
      const bool all = count <= ids.size();
      ids.resize(count);
      if (all) return ids;
    }
  }

  std::string ApplyChatTemplate(const std::vector<Message>& messages) const {
    std::vector<weft_message> given;
    for (const Message& message : messages) {
      if (message.role.find('\0') != std::string::npos ||
          message.content.find('\0') != std::string::npos) {
        throw Error(WEFT_INVALID_ARGUMENT, "a message holds a NUL byte, where C's strings end");
      }
      given.push_back({message.role.c_str(), message.content.c_str()});
    }
    size_t length = 0;
    Check(weft_apply_chat_template(get(), given.data(), given.size(), nullptr, 0, &length));
    std::string text(length, '\0');
    Check(weft_apply_chat_template(get(), given.data(), given.size(), text.data(), text.size(),
                                   &length));
    return text;
  }

  weft_plan* get() const { return plan_.get(); }

 private:
  std::shared_ptr<weft_plan> plan_;
};

class Session {
 public:
  explicit Session(const Plan& plan, int threads = 0, bool profile = false) : plan_(plan) {
    const weft_session_options options = {sizeof(options), threads, profile ? 1 : 0};
    weft_session* session = nullptr;
    Check(weft_session_create(plan.get(), &options, &session));
    session_.reset(session);
  }

  void Prefill(std::span<const int32_t> ids) {
    Check(weft_session_prefill(get(), ids.data(), ids.size()));
  }
  void Decode(int32_t id) { Check(weft_session_decode(get(), id)); }
  // Empty before the first token, and after a call that failed.
  std::span<const float> Logits() const {
    const float* logits = weft_session_logits(get());
    return {logits, logits == nullptr ? 0 : static_cast<size_t>(plan_.vocab())};
  }
  int32_t Argmax() const { return weft_session_argmax(get()); }
  int64_t position() const { return weft_session_position(get()); }
  void Reset() { weft_session_reset(get()); }
  void Cancel() { weft_session_cancel(get()); }

  weft_session* get() const { return session_.get(); }

 private:
  struct Free {
    void operator()(weft_session* session) const { weft_session_free(session); }
  };
  Plan plan_;
  std::unique_ptr<weft_session, Free> session_;
};

class Sampler {
 public:
  static weft_sampler_options Defaults(const Plan& plan) {
    weft_sampler_options options = {.struct_size = sizeof(options)};
    weft_sampler_defaults(plan.get(), &options);
    return options;
  }

  explicit Sampler(const weft_sampler_options& options) {
    weft_sampler* sampler = nullptr;
    Check(weft_sampler_create(&options, &sampler));
    sampler_.reset(sampler);
  }

  int32_t Sample(const Session& session) {
    int32_t id = 0;
    Check(weft_sampler_sample(sampler_.get(), session.get(), &id));
    return id;
  }
  void Accept(int32_t id) { weft_sampler_accept(sampler_.get(), id); }

 private:
  struct Free {
    void operator()(weft_sampler* sampler) const { weft_sampler_free(sampler); }
  };
  std::unique_ptr<weft_sampler, Free> sampler_;
};

class Decoder {
 public:
  explicit Decoder(const Plan& plan) {
    weft_decoder* decoder = nullptr;
    Check(weft_decoder_create(plan.get(), &decoder));
    decoder_.reset(decoder);
  }

  void Prime(std::span<const int32_t> ids) {
    weft_decoder_prime(decoder_.get(), ids.data(), ids.size());
  }
  std::string Add(int32_t id) {
    size_t length = 0;
    const char* const text = weft_decoder_add(decoder_.get(), id, &length);
    return Text(text, length);
  }
  std::string Finish() {
    size_t length = 0;
    const char* const text = weft_decoder_finish(decoder_.get(), &length);
    return Text(text, length);
  }

 private:
  static std::string Text(const char* text, size_t length) {
    if (text == nullptr) throw std::bad_alloc();
    return {text, length};
  }
  struct Free {
    void operator()(weft_decoder* decoder) const { weft_decoder_free(decoder); }
  };
  std::unique_ptr<weft_decoder, Free> decoder_;
};

}  // namespace weft::runtime

#endif  // WEFT_HPP_
