import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Kind, type OperationTypeNode, parse } from 'graphql';

export interface DemoOperation {
  readonly name: string;
  readonly source: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly kind: OperationTypeNode | `${OperationTypeNode}`;
}

const directory = new URL('../fixtures/operations/', import.meta.url);
const extension = '.graphql';

/** Everything under `test/fixtures/operations/`, with its variables, in the order of the names. */
export function readDemoOperations(): readonly DemoOperation[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(extension))
    .sort()
    .map((file) => {
      const name = file.slice(0, -extension.length);
      const source = readFileSync(new URL(file, directory), 'utf8');
      const variablesFile = new URL(`${name}.variables.json`, directory);
      const variables = existsSync(variablesFile) ? JSON.parse(readFileSync(variablesFile, 'utf8')) : {};
      const operation = parse(source).definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
      if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`${file} has no operation`);
      return { name, source, variables, kind: operation.operation };
    });
}
