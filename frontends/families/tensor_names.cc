#include "frontends/families/tensor_names.h"

namespace weft {
namespace {

constexpr TensorNames kLlama = {
    .prefixes = {"model.", "", "language_model.model.", "model.language_model."},
    .embedding = "embed_tokens",
    .layer = "layers",
    .final_norm = "norm",
    .output = {"lm_head", "language_model.lm_head"},
    .attention_norm = "input_layernorm",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .q_norm = "self_attn.q_norm",
    .k_norm = "self_attn.k_norm",
    .attention_out = "self_attn.o_proj",
    .ffn_norm = "post_attention_layernorm",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .down = "mlp.down_proj",
    .attention = "self_attn",
    .attention_residual = "self_attn.residual",
    .activation = "mlp.act_fn",
    .product = "mlp.product",
    .rope = "rotary_emb",
};

constexpr TensorNames Phi3() {
  TensorNames names = kLlama;
  names.q = names.k = names.v = names.gate = names.up = "";
  names.qkv = "self_attn.qkv_proj";
  names.gate_up = "mlp.gate_up_proj";
  names.activation = "mlp.activation_fn";
  return names;
}

// The name that Llama gives to the norm before the feed-forward is here that after the attention.
constexpr TensorNames Gemma() {
  TensorNames names = kLlama;
  names.post_attention_norm = "post_attention_layernorm";
  names.ffn_norm = "pre_feedforward_layernorm";
  names.post_ffn_norm = "post_feedforward_layernorm";
  return names;
}

constexpr TensorNames kGpt2 = {
    .prefixes = {"transformer.", "", "", ""},
    .embedding = "wte",
    .positions = "wpe",
    .layer = "h",
    .final_norm = "ln_f",
    .output = {"lm_head", ""},
    .attention_norm = "ln_1",
    .qkv = "attn.c_attn",
    .attention_out = "attn.c_proj",
    .ffn_norm = "ln_2",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .transposed = true,
    .attention = "attn",
    .attention_residual = "attn.residual",
    .activation = "mlp.act",
};

constexpr TensorNames kGguf = {
    .prefixes = {"", "", "", ""},
    .embedding = "token_embd",
    .positions = "position_embd",
    .layer = "blk",
    .final_norm = "output_norm",
    .output = {"output", ""},
    .attention_norm = "attn_norm",
    .q = "attn_q",
    .k = "attn_k",
    .v = "attn_v",
    .qkv = "attn_qkv",
    .q_norm = "attn_q_norm",
    .k_norm = "attn_k_norm",
    .attention_out = "attn_output",
    .post_attention_norm = "post_attention_norm",
    .ffn_norm = "ffn_norm",
    .gate = "ffn_gate",
    .up = "ffn_up",
    .down = "ffn_down",
    .post_ffn_norm = "post_ffw_norm",
    .attention = "attn",
    .attention_residual = "attn_residual",
    .activation = "ffn_act",
    .product = "ffn_product",
    .rope = "rope",
};

// Fused gate and up go by the name of up.
constexpr TensorNames GgufPhi3() {
  TensorNames names = kGguf;
  names.gate = names.up = "";
  names.gate_up = "ffn_up";
  return names;
}

}  // namespace

constexpr TensorNames kLlamaTensorNames = kLlama;
constexpr TensorNames kPhi3TensorNames = Phi3();
constexpr TensorNames kGemmaTensorNames = Gemma();
constexpr TensorNames kGpt2TensorNames = kGpt2;
constexpr TensorNames kGgufTensorNames = kGguf;
constexpr TensorNames kGgufPhi3TensorNames = GgufPhi3();

}  // namespace weft
