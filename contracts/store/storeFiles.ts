/** The files of a store, from a directory or a Git revision. */
export interface StoreFiles {
  /** Texts by path relative to the store, with `/`, in the order of the paths. */
  readonly texts: ReadonlyMap<string, string>;
  /** Unreadable files by path: why, as the end of a sentence. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** The path as the user would write it. */
  displayPathOf(path: string): string;
}

const contentPattern = /^(schemas|operations)\/|^(waivers|environments)\.yaml$/;

/** Whether a path in the store holds contract data. Notes and hidden files do not, unless they are left over. */
export function isStoreContent(path: string): boolean {
  return isLeftover(path) || (contentPattern.test(path) && !/(^|\/)\.|\.md$/i.test(path));
}

/** Whether `replaceFiles` has written the file in a process that was killed before it could rename or remove it. */
export function isLeftover(path: string): boolean {
  return /(^|\/)\.[^/]+\.\d+\.tmp$/.test(path);
}
