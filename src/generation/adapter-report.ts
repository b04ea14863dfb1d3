import type { MisfitReason } from "../lora/network-file.ts";
import type { NetworkMatch } from "../lora/network-match.ts";
import type { AdapterReport } from "./request.ts";

/** What people are told about an adapter that was matched with a model. */
export function adapterReport({ network, modules, misfits }: NetworkMatch): AdapterReport {
  const reasons: Partial<Record<MisfitReason, number>> = {};
  for (const { reason } of misfits) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    name: network.name,
    kind: network.kind,
    rank: network.rank,
    applied: modules.length,
    misfits: misfits.map(({ name }) => name),
    ...(misfits.length > 0 && { reasons }),
  };
}
