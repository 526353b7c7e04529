/* Weft's runtime: runs compiled plans (.weft). C11, no globals (but for
 * weft_guard_truncated_files), no dependencies in this header.
 *
 * A function that can fail returns NULL or an error, which the caller frees; its results are
 * written only where it returns NULL. Text is UTF-8 with a length, and need not end in a zero byte.
 *
 * Threads: a plan may be used by many threads at once. A session, a decoder or a sampler is for one
 * thread at a time; sessions on one plan share its weights and code and run side by side. A thread
 * that adds tokens needs 768 KiB of its stack, else RESOURCE_EXHAUSTED; 256 KiB do for chat
 * templates.
 *
 * Memory: where an allocation fails, a call tells RESOURCE_EXHAUSTED or what stands at it, and the
 * process goes on. */
#ifndef WEFT_H_
#define WEFT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

typedef struct weft_error weft_error;
typedef struct weft_plan weft_plan;
typedef struct weft_session weft_session;
typedef struct weft_sampler weft_sampler;
typedef struct weft_decoder weft_decoder;

/* "0.1.0"; lives for ever. */
WEFT_API const char* weft_version(void);

/* --- errors --- */

typedef enum weft_code {
  WEFT_INVALID_ARGUMENT = 1,    /* what the caller gave is wrong */
  WEFT_NOT_FOUND = 2,           /* no such file; a plan without tokenizer or template */
  WEFT_FAILED_PRECONDITION = 3, /* this machine cannot run the plan: CPU features, format version;
                                   a session without logits */
  WEFT_OUT_OF_RANGE = 4,        /* the context is full */
  WEFT_RESOURCE_EXHAUSTED = 5,  /* memory, threads */
  WEFT_DATA_LOSS = 6,           /* a damaged or truncated file; logits that are no numbers */
  WEFT_CANCELLED = 7,           /* by weft_session_cancel */
  WEFT_INTERNAL = 8             /* a bug of Weft's, or of the system below it */
} weft_code;

WEFT_API weft_code weft_error_code(const weft_error* error);
/* What was wrong and what to do, one line ending in a zero byte; lives as long as the error. */
WEFT_API const char* weft_error_message(const weft_error* error);
WEFT_API void weft_error_free(weft_error* error); /* NULL is nothing to free */

/* --- plans --- */

/* Installs a handler of SIGBUS for the whole process, once. From then on, where a file of a plan
 * that is opened later is truncated while in use, or its device fails, computing with it is
 * DATA_LOSS; SIGBUS elsewhere goes to the handler that was there before. It lasts as long as the
 * process, so that libweft-runtime must not be unloaded after it. */
WEFT_API weft_error* weft_guard_truncated_files(void);

typedef struct weft_plan_options {
  size_t struct_size; /* sizeof(weft_plan_options), as the caller knows it */
  int no_hugepages;   /* not 0: leave the weights in the file's pages, which processes share; else
                         they move to 2 MiB pages of this process in the background: faster */
  const char* target; /* which of the plan's machine codes to run: x86-64-v3, …; NULL: the best that
                         this CPU executes */
  int mlock;          /* not 0: read all weights now, and keep them in memory */
} weft_plan_options;

/* Maps the file and loads its machine code: a plan is a program, and is trusted like one. Damage is
 * found, malice is not. `options` may be NULL. The files must not be truncated while they are open:
 * the process dies of SIGBUS, but after weft_guard_truncated_files(). RESOURCE_EXHAUSTED: the limit
 * of locked memory is too low for `mlock`. */
WEFT_API weft_error* weft_plan_open(const char* path, const weft_plan_options* options,
                                    weft_plan** plan);
/* After the last session on it is gone. NULL is nothing to close. */
WEFT_API void weft_plan_close(weft_plan* plan);
/* Reads all weights and compares their checksum, which opening does not. */
WEFT_API weft_error* weft_plan_verify(const weft_plan* plan);

WEFT_API const char* weft_plan_model(const weft_plan* plan);  /* its name, for people */
WEFT_API const char* weft_plan_target(const weft_plan* plan); /* whose code runs: x86-64-v3, … */
WEFT_API int64_t weft_plan_context(const weft_plan* plan);    /* positions of a session */
WEFT_API int64_t weft_plan_vocab(const weft_plan* plan);      /* logits of a token */
/* Whether generation should stop at this token. */
WEFT_API int weft_plan_is_end(const weft_plan* plan, int32_t id);

/* --- text --- */

/* Flags of weft_tokenize. */
#define WEFT_ADD_SPECIAL 1   /* put BOS, or what else the model asks for, around the text */
#define WEFT_PARSE_SPECIAL 2 /* read "<|im_end|>" in the text as that token */

/* *count is how many ids the text has; the first `capacity` of them are written to `ids`, which may
 * be NULL where that is 0. */
WEFT_API weft_error* weft_tokenize(const weft_plan* plan, const char* text, size_t length,
                                   int flags, int32_t* ids, size_t capacity, size_t* count);

typedef struct weft_message {
  const char* role;    /* ends in a zero byte: "system", "user", "assistant" */
  const char* content; /* likewise */
} weft_message;

/* A conversation as the model's template writes it, up to where the assistant's answer begins; for
 * weft_tokenize with WEFT_PARSE_SPECIAL alone. *length is that of the text, of which the first
 * `capacity` bytes are written. NOT_FOUND: the model has no template. */
WEFT_API weft_error* weft_apply_chat_template(const weft_plan* plan, const weft_message* messages,
                                              size_t message_count, char* text, size_t capacity,
                                              size_t* length);

/* Turns ids into text one by one, in whole characters. */
WEFT_API weft_error* weft_decoder_create(const weft_plan* plan, weft_decoder** decoder);
WEFT_API void weft_decoder_free(weft_decoder* decoder);
/* Ids that stand before, as of the prompt: they give no text, but may shape that of the next. */
WEFT_API void weft_decoder_prime(weft_decoder* decoder, const int32_t* ids, size_t count);
/* The text that became whole with this token, often none; valid until the decoder's next call. NULL
 * where memory is out, now or in an earlier call: an id was not taken. */
WEFT_API const char* weft_decoder_add(weft_decoder* decoder, int32_t id, size_t* length);
/* What is left; bytes that form no character become U+FFFD. NULL in the same cases. */
WEFT_API const char* weft_decoder_finish(weft_decoder* decoder, size_t* length);

/* --- sessions --- */

typedef struct weft_session_options {
  size_t struct_size; /* sizeof(weft_session_options) */
  int threads;        /* workers, the caller among them; 0: as many CPUs as the process may use */
  int profile;        /* not 0: time every step, for weft_session_profile */
} weft_session_options;

/* A sequence of tokens with memory of its own. `options` may be NULL. */
WEFT_API weft_error* weft_session_create(weft_plan* plan, const weft_session_options* options,
                                         weft_session** session);
WEFT_API void weft_session_free(weft_session* session);

/* Adds tokens to the sequence and computes the logits that follow the last. Where it refuses what
 * was given (INVALID_ARGUMENT, OUT_OF_RANGE), nothing changes. Where it fails later, the sequence
 * is as before, and where it is cancelled, it keeps the chunks that were complete; in both cases
 * the session has no logits until the next call that succeeds. The logits do not depend on how a
 * sequence was cut into calls, nor on the number of threads. */
WEFT_API weft_error* weft_session_prefill(weft_session* session, const int32_t* ids, size_t count);
/* Adds one token. */
WEFT_API weft_error* weft_session_decode(weft_session* session, int32_t id);
/* weft_plan_vocab() floats, valid until the next call that adds tokens or resets; NULL where the
 * session has none. */
WEFT_API const float* weft_session_logits(const weft_session* session);
/* The lowest id of the largest of them (NaN is none; 0 where all are NaN); -1 where there are none.
 * weft_sampler_sample refuses logits that hold a NaN. */
WEFT_API int32_t weft_session_argmax(const weft_session* session);
/* Tokens so far. */
WEFT_API int64_t weft_session_position(const weft_session* session);
/* Forgets them. */
WEFT_API void weft_session_reset(weft_session* session);
/* Ends the session's present call, or its next, before its next step. From any thread or a signal
 * handler. */
WEFT_API void weft_session_cancel(weft_session* session);

/* Of the steps of a plan, over the session's runs. */
typedef struct weft_step_profile {
  const char* name;   /* location in the model: model.layers.3.mlp.down_proj */
  const char* kind;   /* the op, with its epilogue */
  const char* kernel; /* symbol of its code */
  int64_t calls;
  int64_t total_ns, min_ns, max_ns;
  int64_t weight_bytes; /* read in all calls */
  int64_t macs;         /* multiply-adds in all calls */
} weft_step_profile;

/* Calls visit(step, user) for each step in order, if the session was created with `profile`; not at
 * all where memory is out. Names live as long as the plan. */
WEFT_API void weft_session_profile(const weft_session* session,
                                   void (*visit)(const weft_step_profile* step, void* user),
                                   void* user);

/* --- sampling --- */

typedef struct weft_sampler_options {
  size_t struct_size;   /* sizeof(weft_sampler_options) */
  float temperature;    /* 0: always the largest logit */
  int top_k;            /* 0: all */
  float top_p;          /* 1: all */
  float min_p;          /* 0: all */
  float repeat_penalty; /* 1: none */
  int repeat_last_n;
  uint64_t seed;
} weft_sampler_options;

/* llama.cpp's defaults, and over them what the model's makers advise. */
WEFT_API void weft_sampler_defaults(const weft_plan* plan, weft_sampler_options* options);
WEFT_API weft_error* weft_sampler_create(const weft_sampler_options* options,
                                         weft_sampler** sampler);
WEFT_API void weft_sampler_free(weft_sampler* sampler);
/* Chooses from the session's logits; FAILED_PRECONDITION where it has none, RESOURCE_EXHAUSTED
 * where memory is out, now or when a token was to be accepted. One seed gives one sequence on every
 * machine. */
WEFT_API weft_error* weft_sampler_sample(weft_sampler* sampler, const weft_session* session,
                                         int32_t* id);
/* Tells the repeat penalty of a token in the text, of the prompt as well. */
WEFT_API void weft_sampler_accept(weft_sampler* sampler, int32_t id);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_H_ */
