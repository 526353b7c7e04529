// For tests of the front ends: the oracle's tiny models, changed copies of them, and GGUF files
// made of them.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frontends/gguf_metadata.h"
#include "frontends/model.h"
#include "frontends/tensor_file.h"

namespace weft {

// tests/oracle/tiny/<name>.
std::string TinyFolder(const std::string& name);

// golden.safetensors; see tests/oracle/make_tiny_models.py.
struct Golden {
  std::vector<int32_t> ids;
  int64_t vocab = 0;
  int64_t hidden = 0;
  std::vector<float> logits;                      // [ids, vocab]
  std::vector<std::vector<float>> hidden_states;  // of [ids, hidden] each
};
Golden LoadGolden(const std::string& tiny_name);

// Runs the reference evaluator over the golden's ids and expects its logits, argmax and, in the
// places that hidden_locations names, its hidden states.
void ExpectGolden(const Model& model, const Golden& golden);

// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const;
  // model.safetensors of a tiny model, as a link.
  void LinkWeights(const std::string& tiny_name) const;

 private:
  std::string path_;
};

// The text of a file; fails the test where it cannot be read.
std::string TextOf(const std::string& path);
nlohmann::json TinyConfig(const std::string& tiny_name);

// A tensor with its values.
struct TestTensor {
  std::string name;
  std::vector<int64_t> dims;  // outermost first
  std::vector<float> values;
};
std::vector<TestTensor> TinyTensors(const std::string& tiny_name);

// Collects keys and F32 tensors, gives the bytes of a version 3 file. A key or tensor that is there
// already is replaced.
class GgufWriter {
 public:
  GgufWriter& Text(const std::string& key, const std::string& value);
  GgufWriter& Number(const std::string& key, uint32_t value);
  GgufWriter& Float(const std::string& key, float value);
  GgufWriter& Flag(const std::string& key, bool value);
  GgufWriter& Texts(const std::string& key, const std::vector<std::string>& values);
  GgufWriter& Numbers(const std::string& key, const std::vector<int32_t>& values);
  GgufWriter& Floats(const std::string& key, const std::vector<float>& values);
  GgufWriter& Flags(const std::string& key, const std::vector<bool>& values);
  GgufWriter& Tensor(TestTensor tensor);
  // A key or a tensor.
  GgufWriter& Remove(const std::string& name);
  std::string Bytes() const;

 private:
  // The bytes of the key's value, after its type.
  std::string& Key(const std::string& key, GgufType type);
  std::string& Array(const std::string& key, GgufType element, size_t count);

  std::map<std::string, std::string> keys_;  // type and value
  std::vector<TestTensor> tensors_;
};

// A tiny model as the `gguf` package's converter writes its family: names, keys, rows of q and k
// reordered for Llama, weights of Gemma's norms with 1 added. Without a vocabulary.
GgufWriter TinyGguf(const std::string& tiny_name, const std::string& architecture);

}  // namespace weft
