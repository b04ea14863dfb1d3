/** Runs a case on TensorFlow.js with its WebGPU backend. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { arrange, joinHeads, permuted, transpose, type BenchCase, type BenchInput, type Named, type Runner } from "./case.ts";

let device: GPUDevice | undefined;

/** Registers the backend by hand: the package does so by itself only where there is a window. */
export async function openTfjs(gpu: GPU): Promise<void> {
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("no WebGPU adapter");
  const { limits } = adapter;
  device = await adapter.requestDevice({
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  const opened = device;
  tf.registerBackend("webgpu", () => new WebGPUBackend(opened, adapter.info), 3);
  await tf.setBackend("webgpu");
  await tf.ready();
}

const perms = { columns: [1, 0], ohwi: [1, 2, 3, 0] } as const;

function load(input: BenchInput, data: Float32Array): tf.Tensor {
  const order = arrange(input, perms);
  if (order === undefined) return tf.tensor(data, [...input.shape], "float32");
  return tf.tensor(transpose(data, order.from, order.perm), permuted(order.from, order.perm), "float32");
}

export function prepareTfjs(bench: BenchCase, data: Named<Float32Array>): Runner {
  const inputs: Record<string, tf.Tensor> = {};
  for (const [name, input] of Object.entries(bench.inputs)) inputs[name] = load(input, data[name] ?? new Float32Array());
  let last: tf.Tensor[] = [];
  const run = (): void => {
    tf.dispose(last);
    last = tf.tidy(() => [...bench.tfjs(tf, inputs)]);
  };
  const backend = tf.backend();
  return {
    name: "tfjs",
    dispatches: undefined,
    run,
    async finish() {
      if (backend instanceof WebGPUBackend) {
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.submitQueue();
      }
      await device?.queue.onSubmittedWorkDone();
    },
    async results() {
      run();
      const read = last.map(async (tensor, i) => {
        const values = Float32Array.from(await tensor.data());
        return bench.results[i] === "heads" ? joinHeads(values, tensor.shape[0] ?? 1, tensor.shape[2] ?? 1) : values;
      });
      return Promise.all(read);
    },
    dispose() {
      tf.dispose([last, Object.values(inputs)]);
    },
  };
}
