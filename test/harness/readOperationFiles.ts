import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface OperationFile {
  /** Of the file, without its extension. */
  readonly name: string;
  readonly source: string;
  /** Those of `<name>.variables.json`, if there is one. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const extension = '.graphql';

/** The operations of a directory, in the order of their names. */
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
