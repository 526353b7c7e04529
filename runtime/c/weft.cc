#include "runtime/c/weft.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/status_macros.h"
#include "runtime/base/truncation_guard.h"
#include "runtime/chat_prompt.h"
#include "runtime/loaded_plan.h"
#include "runtime/sampling/sampler.h"
#include "runtime/sampling_advice.h"
#include "runtime/session.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/terminal_text.h"
#include "runtime/version.h"

struct weft_error {
  weft_code code;
  std::string message;
};

struct weft_plan {
  std::shared_ptr<const weft::LoadedPlan> loaded;
  const weft::Plan& plan() const { return loaded->plan(); }
};

struct weft_session {
  std::atomic<bool> cancel = false;
  std::shared_ptr<const weft::LoadedPlan> loaded;
  std::unique_ptr<weft::Executor> executor;
  std::optional<weft::Session> session;
};

struct weft_sampler {
  weft::Sampler sampler;
  bool out_of_memory = false;  // a token was not accepted, so that no choice is the right one
};

struct weft_decoder {
  weft::StreamDecoder decoder;
  std::string text;
  bool out_of_memory = false;  // an id was not taken, so that no text is the right one
};

namespace {

using absl::InvalidArgumentError;
using absl::OkStatus;
using absl::Status;

weft_code CodeOf(const Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return WEFT_INVALID_ARGUMENT;
    case absl::StatusCode::kNotFound:
      return WEFT_NOT_FOUND;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kPermissionDenied:
      return WEFT_FAILED_PRECONDITION;
    case absl::StatusCode::kOutOfRange:
      return WEFT_OUT_OF_RANGE;
    case absl::StatusCode::kResourceExhausted:
      return WEFT_RESOURCE_EXHAUSTED;
    case absl::StatusCode::kDataLoss:
      return WEFT_DATA_LOSS;
    case absl::StatusCode::kCancelled:
      return WEFT_CANCELLED;
    default:
      return WEFT_INTERNAL;
  }
}

weft_error* ErrorOf(const Status& status) {
  if (status.ok()) return nullptr;
  // A line of UTF-8, whatever file names and chat templates are made of.
  return new weft_error{CodeOf(status), weft::TerminalLine(status.message())};
}

// One for all, which takes no memory.
weft_error out_of_memory = {WEFT_RESOURCE_EXHAUSTED, "out of memory"};

// No exception passes into C; the only one that can be is that memory is out.
template <typename Body>
weft_error* Guard(const Body& body) {
  try {
    return ErrorOf(body());
  } catch (const std::bad_alloc&) {
    return &out_of_memory;
  }
}

// Of calls that give no error: the next that can does.
template <typename Handle, typename Body>
void Remember(Handle* handle, const Body& body) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    handle->out_of_memory = true;
  }
}

// The text of a decoder; null where memory is out.
template <typename Body>
const char* TextOf(weft_decoder* decoder, size_t* length, const Body& body) {
  *length = 0;
  Remember(decoder, [&] { decoder->text = body(); });
  if (decoder->out_of_memory) return nullptr;
  *length = decoder->text.size();
  return decoder->text.c_str();
}

// Fields that the caller's header did not have yet stay at their defaults.
template <typename Options>
Options Known(const Options* given) {
  Options known = {};
  if (given != nullptr) std::memcpy(&known, given, std::min(given->struct_size, sizeof(Options)));
  return known;
}

absl::StatusOr<const weft::Tokenizer*> TokenizerOf(const weft_plan& plan) {
  const auto& tokenizer = plan.loaded->tokenizer();
  if (!tokenizer.ok()) return tokenizer.status();
  return tokenizer->get();
}

template <typename T>
void CopyOut(const T* from, size_t size, T* to, size_t capacity) {
  if (size > 0 && capacity > 0) std::memcpy(to, from, std::min(size, capacity) * sizeof(T));
}

weft_error* Run(weft_session* session, absl::Span<const int32_t> ids) {
  return Guard([&] {
    const Status status = session->session->Prefill(ids);
    if (absl::IsCancelled(status)) session->cancel.store(false);
    return status;
  });
}

}  // namespace

const char* weft_version(void) { return weft::kVersion; }

weft_code weft_error_code(const weft_error* error) { return error->code; }
const char* weft_error_message(const weft_error* error) { return error->message.c_str(); }
void weft_error_free(weft_error* error) {
  if (error != &out_of_memory) delete error;
}

weft_error* weft_guard_truncated_files(void) {
  return Guard([] {
    return weft::GuardTruncatedFiles() ? OkStatus()
                                       : absl::InternalError("SIGBUS takes no handler");
  });
}

weft_error* weft_plan_open(const char* path, const weft_plan_options* options, weft_plan** plan) {
  return Guard([&]() -> Status {
    if (path == nullptr) return InvalidArgumentError("the path of the plan is NULL");
    WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const weft::Plan> opened, weft::Plan::Open(path));
    const weft_plan_options known = Known(options);
    WEFT_ASSIGN_OR_RETURN(
        std::shared_ptr<const weft::LoadedPlan> loaded,
        weft::LoadedPlan::Load(std::move(opened),
                               {.huge_pages = known.no_hugepages == 0,
                                .lock = known.mlock != 0,
                                .target = known.target == nullptr ? "" : known.target}));
    *plan = new weft_plan{std::move(loaded)};
    return OkStatus();
  });
}

void weft_plan_close(weft_plan* plan) { delete plan; }

weft_error* weft_plan_verify(const weft_plan* plan) {
  return Guard([&] { return plan->plan().VerifyWeights(); });
}

const char* weft_plan_model(const weft_plan* plan) { return plan->plan().metadata().model.c_str(); }
const char* weft_plan_target(const weft_plan* plan) { return plan->loaded->target().name.c_str(); }
int64_t weft_plan_context(const weft_plan* plan) { return plan->plan().program().context; }
int64_t weft_plan_vocab(const weft_plan* plan) { return plan->plan().program().vocab; }

int weft_plan_is_end(const weft_plan* plan, int32_t id) {
  const std::vector<int32_t>& ends = plan->plan().metadata().eos_ids;
  return std::find(ends.begin(), ends.end(), id) != ends.end() ? 1 : 0;
}

weft_error* weft_tokenize(const weft_plan* plan, const char* text, size_t length, int flags,
                          int32_t* ids, size_t capacity, size_t* count) {
  return Guard([&]() -> Status {
    WEFT_ASSIGN_OR_RETURN(const weft::Tokenizer* tokenizer, TokenizerOf(*plan));
    WEFT_ASSIGN_OR_RETURN(
        const std::vector<int32_t> found,
        tokenizer->Encode({text, length}, {.add_special = (flags & WEFT_ADD_SPECIAL) != 0,
                                           .parse_special = (flags & WEFT_PARSE_SPECIAL) != 0}));
    CopyOut(found.data(), found.size(), ids, capacity);
    *count = found.size();
    return OkStatus();
  });
}

weft_error* weft_apply_chat_template(const weft_plan* plan, const weft_message* messages,
                                     size_t message_count, char* text, size_t capacity,
                                     size_t* length) {
  return Guard([&]() -> Status {
    const weft::Plan& opened = plan->plan();
    const std::string& source = plan->loaded->chat_template();
    if (source.empty())
      return absl::NotFoundError(opened.path() + ": the model has no chat template");
    WEFT_ASSIGN_OR_RETURN(const weft::Tokenizer* tokenizer, TokenizerOf(*plan));
    std::vector<weft::ChatMessage> conversation;
    for (size_t i = 0; i < message_count; ++i) {
      const weft_message& message = messages[i];
      if (message.role == nullptr || message.content == nullptr) {
        return InvalidArgumentError(
            absl::StrCat("message ", i, " has no role or no content: it is NULL"));
      }
      conversation.push_back({message.role, message.content});
    }
    WEFT_ASSIGN_OR_RETURN(
        const std::string rendered,
        weft::ChatPrompt(opened.path(), source, opened.metadata(), *tokenizer, conversation));
    CopyOut(rendered.data(), rendered.size(), text, capacity);
    *length = rendered.size();
    return OkStatus();
  });
}

weft_error* weft_decoder_create(const weft_plan* plan, weft_decoder** decoder) {
  return Guard([&]() -> Status {
    WEFT_ASSIGN_OR_RETURN(const weft::Tokenizer* tokenizer, TokenizerOf(*plan));
    *decoder = new weft_decoder{weft::StreamDecoder(*tokenizer, /*skip_special=*/true), {}};
    return OkStatus();
  });
}

void weft_decoder_free(weft_decoder* decoder) { delete decoder; }

void weft_decoder_prime(weft_decoder* decoder, const int32_t* ids, size_t count) {
  Remember(decoder, [&] { decoder->decoder.Prime({ids, count}); });
}

const char* weft_decoder_add(weft_decoder* decoder, int32_t id, size_t* length) {
  return TextOf(decoder, length, [&] { return decoder->decoder.Add(id); });
}

const char* weft_decoder_finish(weft_decoder* decoder, size_t* length) {
  return TextOf(decoder, length, [&] { return decoder->decoder.Flush(); });
}

weft_error* weft_session_create(weft_plan* plan, const weft_session_options* options,
                                weft_session** session) {
  return Guard([&]() -> Status {
    const weft_session_options known = Known(options);
    if (known.threads < 0) return InvalidArgumentError("threads cannot be below 0");
    auto created = std::make_unique<weft_session>();
    created->loaded = plan->loaded;
    weft::ExecutorOptions executor{.profile = known.profile != 0, .cancel = &created->cancel};
    if (known.threads > 0) executor.threads = known.threads;
    WEFT_ASSIGN_OR_RETURN(created->executor, plan->loaded->NewExecutor(executor));
    created->session.emplace(created->executor.get());
    *session = created.release();
    return OkStatus();
  });
}

void weft_session_free(weft_session* session) { delete session; }

weft_error* weft_session_prefill(weft_session* session, const int32_t* ids, size_t count) {
  return Run(session, {ids, count});
}

weft_error* weft_session_decode(weft_session* session, int32_t id) {
  return Run(session, absl::MakeConstSpan(&id, 1));
}

const float* weft_session_logits(const weft_session* session) {
  return session->session->has_logits() ? session->session->Logits().data() : nullptr;
}

int32_t weft_session_argmax(const weft_session* session) {
  return session->session->has_logits() ? session->session->Argmax() : -1;
}

int64_t weft_session_position(const weft_session* session) { return session->session->position(); }

void weft_session_reset(weft_session* session) { session->session->Reset(); }

void weft_session_cancel(weft_session* session) {
  session->cancel.store(true, std::memory_order_relaxed);
}

void weft_session_profile(const weft_session* session,
                          void (*visit)(const weft_step_profile* step, void* user), void* user) {
  const weft::Profile* profile = nullptr;
  try {
    profile = &session->executor->profile();
  } catch (const std::bad_alloc&) {
    return;
  }
  const std::vector<weft::Step>& steps = session->executor->program().steps;
  for (size_t i = 0; i < profile->steps.size(); ++i) {
    const weft::StepProfile& times = profile->steps[i];
    const weft_step_profile step = {.name = steps[i].name.c_str(),
                                    .kind = steps[i].kind.c_str(),
                                    .kernel = steps[i].kernel.c_str(),
                                    .calls = times.time.count(),
                                    .total_ns = times.time.total_ns(),
                                    .min_ns = times.time.min_ns(),
                                    .max_ns = times.time.max_ns(),
                                    .weight_bytes = times.weight_bytes,
                                    .macs = times.macs};
    visit(&step, user);
  }
}

void weft_sampler_defaults(const weft_plan* plan, weft_sampler_options* options) {
  const weft::SamplerOptions advised = weft::Advised(plan->plan().metadata().generation, {});
  const weft_sampler_options filled = {.struct_size = options->struct_size,
                                       .temperature = advised.temperature,
                                       .top_k = advised.top_k,
                                       .top_p = advised.top_p,
                                       .min_p = advised.min_p,
                                       .repeat_penalty = advised.repeat_penalty,
                                       .repeat_last_n = advised.repeat_last_n,
                                       .seed = advised.seed};
  std::memcpy(options, &filled, std::min(options->struct_size, sizeof(filled)));
}

weft_error* weft_sampler_create(const weft_sampler_options* options, weft_sampler** sampler) {
  return Guard([&]() -> Status {
    const weft_sampler_options known = Known(options);
    WEFT_ASSIGN_OR_RETURN(weft::Sampler created,
                          weft::Sampler::Create({.temperature = known.temperature,
                                                 .top_k = known.top_k,
                                                 .top_p = known.top_p,
                                                 .min_p = known.min_p,
                                                 .repeat_penalty = known.repeat_penalty,
                                                 .repeat_last_n = known.repeat_last_n,
                                                 .seed = known.seed}));
    *sampler = new weft_sampler{std::move(created)};
    return OkStatus();
  });
}

void weft_sampler_free(weft_sampler* sampler) { delete sampler; }

weft_error* weft_sampler_sample(weft_sampler* sampler, const weft_session* session, int32_t* id) {
  return Guard([&]() -> Status {
    if (sampler->out_of_memory) throw std::bad_alloc();
    if (!session->session->has_logits())
      return absl::FailedPreconditionError(
          "the session has no logits: add tokens first, also after a call that failed");
    WEFT_ASSIGN_OR_RETURN(*id, sampler->sampler.Sample(session->session->Logits()));
    return OkStatus();
  });
}

void weft_sampler_accept(weft_sampler* sampler, int32_t id) {
  Remember(sampler, [&] { sampler->sampler.Accept(id); });
}
