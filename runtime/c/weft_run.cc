// weft-run: runs a plan, by the public interface alone. Exit codes as those of weft.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "runtime/c/command_line.h"
#include "runtime/c/weft.hpp"

namespace {

using weft::runtime::Decoder;
using weft::runtime::Error;
using weft::runtime::Plan;
using weft::runtime::Sampler;
using weft::runtime::Session;

struct Arguments {
  std::string plan;
  std::string prompt;
  std::string file;
  std::string system;
  std::string target;
  int64_t count = -1;
  int threads = 0;
  float temperature = 0;
  int top_k = 0;
  float top_p = 0;
  float min_p = 0;
  uint64_t seed = 0;
  bool chat = false;
  bool ignore_eos = false;
  bool no_hugepages = false;
  bool mlock = false;
  bool verify = false;
};

std::atomic<weft_session*> running = nullptr;
std::atomic<int> handling = 0;  // threads that are in the handler

void OnSignal(int signal) {
  ++handling;
  if (weft_session* const session = running; session != nullptr) weft_session_cancel(session);
  std::signal(signal, SIG_DFL);
  --handling;
}

// While it lives, the first SIGINT or SIGTERM ends what the session computes, and a second one the
// process. It ends before the session, and with it every handler, on whichever thread, that knows
// the session.
class CancelsOnSignals {
 public:
  explicit CancelsOnSignals(weft_session* session) {
    running = session;
    std::signal(SIGINT, OnSignal);
    std::signal(SIGTERM, OnSignal);
  }
  ~CancelsOnSignals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    running = nullptr;
    while (handling != 0) std::this_thread::yield();
  }
  CancelsOnSignals(const CancelsOnSignals&) = delete;
  CancelsOnSignals& operator=(const CancelsOnSignals&) = delete;
};

double Seconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

[[noreturn]] void FailToRead(const std::string& name) {
  throw Error(errno == ENOENT ? WEFT_NOT_FOUND : WEFT_DATA_LOSS,
              name + ": cannot be read: " + std::generic_category().message(errno));
}

// More than weft_tokenize takes.
constexpr size_t kTooLong = size_t{1} << 30;

std::string ReadAll(int fd, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got == 0) return text;
    if (got > 0) {
      text.append(buffer, static_cast<size_t>(got));
      if (text.size() >= kTooLong)
        throw Error(WEFT_RESOURCE_EXHAUSTED, name + ": is too long to tokenise");
    } else if (errno != EINTR) {
      FailToRead(name);
    }
  }
}

std::string PromptText(const CLI::App& app, const Arguments& arguments) {
  if (app.count("--prompt") > 0) return arguments.prompt;
  if (arguments.file.empty()) return ReadAll(STDIN_FILENO, "standard input");
  const int file = open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) FailToRead(arguments.file);
  return ReadAll(file, arguments.file);  // the process is its only user
}

std::vector<int32_t> PromptIds(const CLI::App& app, const Arguments& arguments, const Plan& plan) {
  const std::string text = PromptText(app, arguments);
  if (!arguments.chat) return plan.Tokenize(text);
  std::vector<weft::runtime::Message> messages;
  if (!arguments.system.empty()) messages.push_back({"system", arguments.system});
  messages.push_back({"user", text});
  return plan.Tokenize(plan.ApplyChatTemplate(messages), WEFT_PARSE_SPECIAL);
}

weft_sampler_options Sampling(const CLI::App& app, const Arguments& arguments, const Plan& plan) {
  weft_sampler_options options = Sampler::Defaults(plan);
  if (app.count("--temp") > 0) options.temperature = arguments.temperature;
  if (app.count("--top-k") > 0) options.top_k = arguments.top_k;
  if (app.count("--top-p") > 0) options.top_p = arguments.top_p;
  if (app.count("--min-p") > 0) options.min_p = arguments.min_p;
  options.seed =
      app.count("--seed") > 0
          ? arguments.seed
          : static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  return options;
}

void FlushOutput() {
  if (!std::cout.flush()) throw Error(WEFT_INTERNAL, "cannot write the output: is the disk full?");
}

int Run(const CLI::App& app, const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  weft::runtime::GuardTruncatedFiles();
  const Plan plan(arguments.plan, arguments.no_hugepages, arguments.target, arguments.mlock);
  if (arguments.verify) plan.Verify();
  const std::vector<int32_t> prompt = PromptIds(app, arguments, plan);
  if (prompt.empty()) {
    throw Error(WEFT_INVALID_ARGUMENT,
                "the prompt holds no token: give some text with -p, -f or on standard input");
  }
  Session session(plan, arguments.threads);
  const CancelsOnSignals cancels(session.get());
  Sampler sampler(Sampling(app, arguments, plan));
  Decoder decoder(plan);
  decoder.Prime(prompt);
  for (int32_t id : prompt) sampler.Accept(id);
  const double load = Seconds(start);

  const auto first = std::chrono::steady_clock::now();
  double prefill = 0;
  auto second = first;
  int64_t made = 0;
  bool cancelled = false;
  try {
    session.Prefill(prompt);
    prefill = Seconds(first);
    second = std::chrono::steady_clock::now();
    while (made != arguments.count) {
      const int32_t id = sampler.Sample(session);
      if (!arguments.ignore_eos && plan.IsEnd(id)) break;
      sampler.Accept(id);
      ++made;
      std::cout << decoder.Add(id) << std::flush;
      if (made == arguments.count || session.position() == plan.context()) break;
      session.Decode(id);
    }
  } catch (const Error& error) {
    if (error.code() != WEFT_CANCELLED) throw;
    cancelled = true;
  }
  std::cout << decoder.Finish() << "\n";
  FlushOutput();
  const double decode = Seconds(second);
  std::fprintf(stderr,
               "\nload %.2f s; prompt %zu tokens, %.1f tok/s; generated %lld tokens, %.1f tok/s\n",
               load, prompt.size(), prefill > 0 ? static_cast<double>(prompt.size()) / prefill : 0,
               static_cast<long long>(made), made > 1 ? static_cast<double>(made - 1) / decode : 0);
  return cancelled ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  weft::OccupyStandardFiles();
  std::signal(SIGPIPE, SIG_DFL);
  Arguments arguments;
  CLI::App app{"weft-run: runs a plan that `weft compile` made, without the compiler"};
  app.set_version_flag("--version", std::string("weft-run ") + weft_version());
  app.add_option("plan", arguments.plan, "a .weft plan")->required()->type_name("PLAN");
  auto* prompt =
      app.add_option("-p,--prompt", arguments.prompt, "the prompt (default: standard input)")
          ->type_name("TEXT");
  app.add_option("-f,--file", arguments.file, "read the prompt from a file")
      ->excludes(prompt)
      ->type_name("FILE");
  app.add_option("-n,--n-predict", arguments.count,
                 "tokens to generate; -1: until the text ends (default -1)")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 30))
      ->type_name("N");
  app.add_option("-t,--threads", arguments.threads,
                 "worker threads (default: the CPUs this process may use)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  app.add_option("--temp", arguments.temperature,
                 "temperature; 0 takes the most likely token (default: the model's, else 0.8)")
      ->check(weft::kTemperature);
  app.add_option("--top-k", arguments.top_k,
                 "sample from the K most likely; 0: all (default: the model's, else 40)")
      ->check(weft::kCount);
  app.add_option("--top-p", arguments.top_p,
                 "from the likeliest that sum to P (default: the model's, else 0.95)")
      ->check(weft::kTopP);
  app.add_option("--min-p", arguments.min_p,
                 "from those at least P times as likely as the likeliest (default: the model's, "
                 "else 0.05)")
      ->check(weft::kMinP);
  app.add_option("--seed", arguments.seed, "seed of the sampler (default: the time)")
      ->check(weft::kSeed);
  auto* chat = app.add_flag("--chat", arguments.chat,
                            "put the prompt into the model's chat template, as the user's message");
  app.add_option("--system", arguments.system, "with --chat: the system's message")
      ->type_name("TEXT")
      ->needs(chat);
  app.add_flag("--ignore-eos", arguments.ignore_eos, "go on after the model ends its text");
  app.add_option("--target", arguments.target,
                 "of a plan for several targets, the one to run (default: the best that this CPU "
                 "executes)")
      ->type_name("TARGET");
  app.add_flag("--no-hugepages", arguments.no_hugepages,
               "leave the weights in the file's pages, which processes share, instead of moving "
               "them to 2 MiB pages in the background, which is faster");
  app.add_flag("--mlock", arguments.mlock,
               "keep the weights in memory: they cannot be swapped or dropped");
  app.add_flag("--verify", arguments.verify, "check all weights first");
  bool shown = false;  // help, or the version
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error, std::cout, std::cerr) != 0) return 2;
    shown = true;
  }
  try {
    if (!shown) return Run(app, arguments);
    FlushOutput();
    return 0;
  } catch (const std::bad_alloc&) {
    std::cerr << "weft-run: out of memory: the system gives no more (check ulimit -v and the "
                 "container's limit)"
              << std::endl;
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "weft-run: " << error.what() << std::endl;
    return 1;
  }
}
