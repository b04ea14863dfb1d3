/** Saving files that may be larger than memory: where the user says, or through the browser's downloads. */
import { blobFrom } from "../../formats/zip.ts";
import { download } from "./file-access.ts";

/** What TypeScript's DOM library lacks: Chromium's picker. */
interface PickerWindow {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>;
}

/**
 * Needs a user's click.
 * @param write what writes the file, piece by piece
 * @returns false where the user closed the browser's question
 */
export async function saveFile(
  name: string, type: string, write: (to: WritableStream<Uint8Array<ArrayBuffer>>) => Promise<void>,
): Promise<boolean> {
  const picker = window as PickerWindow;
  if (picker.showSaveFilePicker === undefined) {
    download(await blobFrom(write, type), name);
    return true;
  }
  let handle: FileSystemFileHandle;
  try {
    handle = await picker.showSaveFilePicker({ suggestedName: name });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return false;
    throw error;
  }
  await write(await handle.createWritable());
  return true;
}
