import type { NetworkMatch } from "../lora/network-match.ts";
import type { AdapterReport } from "./request.ts";

/** What people are told about an adapter that was matched with a model. */
export function adapterReport({ network, modules, misfits }: NetworkMatch): AdapterReport {
  return {
    name: network.name,
    kind: network.kind,
    rank: network.rank,
    applied: modules.length,
    misfits: misfits.map(({ name }) => name),
  };
}
