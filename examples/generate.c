/* Greedy generation with a plan: generate PLAN PROMPT COUNT. Built from an installed Weft by
 *   cc generate.c $(pkg-config --cflags --libs weft-runtime)      or examples/CMakeLists.txt */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static void check(weft_error* error) {
  if (error == NULL) return;
  fprintf(stderr, "generate: %s\n", weft_error_message(error));
  weft_error_free(error);
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  weft_plan* plan = NULL;
  check(weft_plan_open(argv[1], NULL, &plan));
  int32_t ids[512];
  size_t count = 0;
  check(weft_tokenize(plan, argv[2], strlen(argv[2]), WEFT_ADD_SPECIAL, ids, 512, &count));
  if (count == 0 || count > 512) return 2;

  weft_session* session = NULL;
  weft_decoder* decoder = NULL;
  check(weft_session_create(plan, NULL, &session));
  check(weft_decoder_create(plan, &decoder));
  weft_decoder_prime(decoder, ids, count);
  check(weft_session_prefill(session, ids, count));
  size_t length = 0;
  for (int left = atoi(argv[3]); left > 0; --left) {
    const int32_t id = weft_session_argmax(session);
    if (weft_plan_is_end(plan, id)) break;
    const char* text = weft_decoder_add(decoder, id, &length);
    fwrite(text, 1, length, stdout);
    if (left > 1) check(weft_session_decode(session, id));
  }
  const char* rest = weft_decoder_finish(decoder, &length);
  fwrite(rest, 1, length, stdout);
  putchar('\n');
  weft_decoder_free(decoder);
  weft_session_free(session);
  weft_plan_close(plan);
  return 0;
}
