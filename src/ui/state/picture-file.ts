/** What a drawn picture is called on disk. */
import type { GenerationRequest } from "../../generation/request.ts";

const longestWords = 40;

/** `smith smile-1234.png`: the prompt's beginning and the seed, without what file systems refuse. */
export function pictureFileName({ request }: { readonly request: GenerationRequest }): string {
  const words = request.prompt
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/[^\p{L}\p{N} _-]+/gu, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, longestWords)
    .trim();
  return `${words === "" ? "picture" : words}-${request.seed}.png`;
}
