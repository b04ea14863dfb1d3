import { describe, expect, it } from "vitest";
import { openGpu } from "../../src/gpu/device.ts";
import { AdapterLimitError, NoWebGpuError } from "../../src/gpu/errors.ts";
import { defaultLimits } from "../../src/gpu/tier.ts";

/** A browser whose adapter offers these limits; asking it for a device is a failure of the test. */
function browserWith(limits: Partial<typeof defaultLimits> | null): GPU {
  const adapter = limits && {
    limits: { ...defaultLimits, ...limits },
    features: new Set<string>(),
    info: { vendor: "v", architecture: "a", description: "d" },
    requestDevice: () => Promise.reject(new Error("must not be asked")),
  };
  return { requestAdapter: async () => adapter } as unknown as GPU;
}

describe("openGpu", () => {
  it("says that there is no WebGPU, with and without the API", async () => {
    await expect(openGpu(undefined)).rejects.toBeInstanceOf(NoWebGpuError);
    await expect(openGpu(browserWith(null))).rejects.toBeInstanceOf(NoWebGpuError);
  });

  it.each([
    ["maxStorageBufferBindingSize", 64 * 2 ** 20],
    ["maxBufferSize", 128 * 2 ** 20],
    ["maxComputeInvocationsPerWorkgroup", 128],
    ["maxStorageBuffersPerShaderStage", 4],
    ["minStorageBufferOffsetAlignment", 512],
  ] as const)("names %s where an adapter offers less than every WebGPU must (%i)", async (limit, offered) => {
    const error = await openGpu(browserWith({ [limit]: offered })).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AdapterLimitError);
    expect((error as AdapterLimitError).data).toEqual({ limit, needed: defaultLimits[limit], offered });
  });
});
