"""GroupNorm followed by SiLU. On CPUs in bfloat16 a fused kernel replaces PyTorch's, whose backward is half of a step."""

import torch
from torch import nn
from torch.nn import functional as F

from .cpp import build

SOURCE = r"""
#include <torch/extension.h>
#include <cmath>
#include <cstring>
#include <vector>

// Tensors are channels-last bfloat16: memory is [N, H*W, C].
static inline float up(uint16_t b) { uint32_t u = uint32_t(b) << 16; float f; std::memcpy(&f, &u, 4); return f; }
static inline uint16_t down(float f) { uint32_t u; std::memcpy(&u, &f, 4); return uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16); }

static const uint16_t* in(const at::Tensor& t) { return reinterpret_cast<const uint16_t*>(t.data_ptr()); }
static uint16_t* out(at::Tensor& t) { return reinterpret_cast<uint16_t*>(t.data_ptr()); }

// Mean and 1/std per group, spread over channels, into mean[C] and rstd[C].
static void stats(const uint16_t* x, int64_t P, int64_t C, int64_t G, float eps, float* mean, float* rstd) {
  std::vector<float> s(C, 0.f), q(C, 0.f);
  for (int64_t p = 0; p < P; p++) {
    const uint16_t* row = x + p * C;
    for (int64_t c = 0; c < C; c++) { float v = up(row[c]); s[c] += v; q[c] += v * v; }
  }
  const int64_t D = C / G;
  for (int64_t g = 0; g < G; g++) {
    double a = 0, b = 0;
    for (int64_t d = 0; d < D; d++) { a += s[g * D + d]; b += q[g * D + d]; }
    const double m = a / (D * P), v = std::max(b / (D * P) - m * m, 0.0);
    for (int64_t d = 0; d < D; d++) { mean[g * D + d] = float(m); rstd[g * D + d] = float(1.0 / std::sqrt(v + eps)); }
  }
}

std::vector<at::Tensor> forward(at::Tensor x, at::Tensor weight, at::Tensor bias, int64_t G, double eps, bool silu) {
  const int64_t N = x.size(0), C = x.size(1), P = x.size(2) * x.size(3);
  auto y = at::empty_like(x);
  auto mean = at::empty({N, C}, weight.options()), rstd = at::empty({N, C}, weight.options());
  const float *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  float *mp = mean.data_ptr<float>(), *rp = rstd.data_ptr<float>();
  const uint16_t* xp = in(x); uint16_t* yp = out(y);
  at::parallel_for(0, N, 1, [&](int64_t n0, int64_t n1) {
    std::vector<float> a(C), o(C);
    for (int64_t n = n0; n < n1; n++) {
      stats(xp + n * P * C, P, C, G, eps, mp + n * C, rp + n * C);
      for (int64_t c = 0; c < C; c++) { a[c] = w[c] * rp[n * C + c]; o[c] = b[c] - mp[n * C + c] * a[c]; }
      for (int64_t p = 0; p < P; p++) {
        const uint16_t* row = xp + (n * P + p) * C; uint16_t* dst = yp + (n * P + p) * C;
        if (silu) for (int64_t c = 0; c < C; c++) { float u = up(row[c]) * a[c] + o[c]; dst[c] = down(u / (1.f + std::exp(-u))); }
        else for (int64_t c = 0; c < C; c++) dst[c] = down(up(row[c]) * a[c] + o[c]);
      }
    }
  });
  return {y, mean, rstd};
}

std::vector<at::Tensor> backward(at::Tensor dy, at::Tensor x, at::Tensor weight, at::Tensor bias, at::Tensor mean, at::Tensor rstd, int64_t G, bool silu) {
  const int64_t N = x.size(0), C = x.size(1), P = x.size(2) * x.size(3), D = C / G;
  auto dx = at::empty_like(x);
  auto dw = at::zeros({N, C}, weight.options()), db = at::zeros({N, C}, weight.options());
  const float *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>(), *mp = mean.data_ptr<float>(), *rp = rstd.data_ptr<float>();
  float *dwp = dw.data_ptr<float>(), *dbp = db.data_ptr<float>();
  const uint16_t *xp = in(x), *gp = in(dy); uint16_t* op = out(dx);
  at::parallel_for(0, N, 1, [&](int64_t n0, int64_t n1) {
    std::vector<float> a(C), o(C), k1(C), k2(C);
    for (int64_t n = n0; n < n1; n++) {
      const float *m = mp + n * C, *r = rp + n * C;
      float *s2 = dwp + n * C, *s1 = dbp + n * C;
      for (int64_t c = 0; c < C; c++) { a[c] = w[c] * r[c]; o[c] = b[c] - m[c] * a[c]; }
      auto slope = [&](float u) { float s = 1.f / (1.f + std::exp(-u)); return s * (1.f + u * (1.f - s)); };
      for (int64_t p = 0; p < P; p++) {
        const uint16_t *row = xp + (n * P + p) * C, *g = gp + (n * P + p) * C;
        if (silu) for (int64_t c = 0; c < C; c++) { float v = up(row[c]), d = up(g[c]) * slope(v * a[c] + o[c]); s1[c] += d; s2[c] += d * (v - m[c]) * r[c]; }
        else for (int64_t c = 0; c < C; c++) { float v = up(row[c]), d = up(g[c]); s1[c] += d; s2[c] += d * (v - m[c]) * r[c]; }
      }
      for (int64_t q = 0; q < G; q++) {
        float t1 = 0, t2 = 0;
        for (int64_t d = 0; d < D; d++) { t1 += w[q * D + d] * s1[q * D + d]; t2 += w[q * D + d] * s2[q * D + d]; }
        for (int64_t d = 0; d < D; d++) { k1[q * D + d] = t1 / (D * P); k2[q * D + d] = t2 / (D * P); }
      }
      for (int64_t p = 0; p < P; p++) {
        const uint16_t *row = xp + (n * P + p) * C, *g = gp + (n * P + p) * C; uint16_t* dst = op + (n * P + p) * C;
        if (silu) for (int64_t c = 0; c < C; c++) { float v = up(row[c]), d = up(g[c]) * slope(v * a[c] + o[c]); dst[c] = down(r[c] * (w[c] * d - k1[c] - (v - m[c]) * r[c] * k2[c])); }
        else for (int64_t c = 0; c < C; c++) { float v = up(row[c]), d = up(g[c]); dst[c] = down(r[c] * (w[c] * d - k1[c] - (v - m[c]) * r[c] * k2[c])); }
      }
    }
  });
  return {dx, dw.sum(0), db.sum(0)};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward); m.def("backward", &backward); }
"""


def kernels():
    return build("lorasmith_group_norm", SOURCE, "the fused GroupNorm")


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps, silu):
        x = x.contiguous(memory_format=torch.channels_last)
        y, mean, rstd = kernels().forward(x, weight, bias, groups, eps, silu)
        ctx.save_for_backward(x, weight, bias, mean, rstd)
        ctx.groups, ctx.silu = groups, silu
        return y

    @staticmethod
    def backward(ctx, dy):
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx, dw, db = kernels().backward(dy, *ctx.saved_tensors, ctx.groups, ctx.silu)
        return dx, dw, db, None, None, None


class Norm(nn.GroupNorm):
    """GroupNorm with 32 groups, followed by SiLU when asked."""

    def __init__(self, channels, eps, silu=True):
        super().__init__(32, channels, eps=eps)
        self.silu = silu

    def forward(self, x):
        if torch.is_autocast_enabled("cpu") and x.device.type == "cpu" and kernels():
            return Fused.apply(x.bfloat16(), self.weight, self.bias, 32, self.eps, self.silu)
        y = super().forward(x)
        return F.silu(y) if self.silu else y
