/** The files of a store, wherever they are from, read as a whole. */
export interface StoreFiles {
  /** By path below the store's directory, with `/`, in the order of the paths. */
  readonly texts: ReadonlyMap<string, string>;
  /** Those that cannot be read, by path: why, as the end of a sentence. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** How the user would write the path. */
  displayPathOf(path: string): string;
}

const contentPattern = /^(schemas|operations)\/|^(waivers|environments)\.yaml$/;

/** Whether a path below the directory holds something that is agreed. Notes and hidden files do not. */
export function isStoreContent(path: string): boolean {
  return contentPattern.test(path) && !/(^|\/)\.|\.md$/i.test(path);
}

/** Text of a file. Errors: `undefined` where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
