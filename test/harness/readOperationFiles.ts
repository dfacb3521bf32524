import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface OperationFile {
  /** The file name without its extension. */
  readonly name: string;
  readonly source: string;
  /** The content of `<name>.variables.json`, if the file exists. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const extension = '.graphql';

/** Reads the operations of a directory, in the order of their names. */
export function readOperationFiles(directory: URL): readonly OperationFile[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(extension))
    .sort()
    .map((file) => {
      const name = file.slice(0, -extension.length);
      const variablesFile = new URL(`${name}.variables.json`, directory);
      return {
        name,
        source: readFileSync(new URL(file, directory), 'utf8'),
        variables: existsSync(variablesFile) ? JSON.parse(readFileSync(variablesFile, 'utf8')) : {},
      };
    });
}
