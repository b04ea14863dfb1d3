// Activation functions and their derivatives, shared by the pointwise kernels.
// erfc by a Chebyshev fit in t = 1/(1+|x|/2), relative error 1.2e-7 (Numerical Recipes).
fn normal_cdf(x: vec4<f32>) -> vec4<f32> {
  let z = abs(x) * 0.70710678118654752;
  let t = 1.0 / (1.0 + 0.5 * z);
  let poly = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  let tail = 0.5 * t * exp(poly - z * z);
  return select(tail, 1.0 - tail, x >= vec4<f32>(0.0));
}
fn gelu(x: vec4<f32>) -> vec4<f32> { return x * normal_cdf(x); }
fn gelu_derivative(x: vec4<f32>) -> vec4<f32> {
  return normal_cdf(x) + x * exp(-0.5 * x * x) * 0.39894228040143268;
}
// exp overflows to infinity for very negative x; 1 / (1 + inf) = 0 is only guaranteed when the argument is clamped.
fn sigmoid(x: vec4<f32>) -> vec4<f32> { return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0)))); }
fn silu(x: vec4<f32>) -> vec4<f32> { return x * sigmoid(x); }
fn silu_derivative(x: vec4<f32>) -> vec4<f32> { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }
fn quick_gelu(x: vec4<f32>) -> vec4<f32> { return x * sigmoid(1.702 * x); }
fn quick_gelu_derivative(x: vec4<f32>) -> vec4<f32> {
  let s = sigmoid(1.702 * x);
  return s + 1.702 * x * s * (1.0 - s);
}
