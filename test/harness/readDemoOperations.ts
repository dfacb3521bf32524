import { Kind, type OperationTypeNode, parse } from 'graphql';
import { readOperationFiles } from './readOperationFiles.ts';

export interface DemoOperation {
  readonly name: string;
  readonly source: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly kind: OperationTypeNode | `${OperationTypeNode}`;
}

const directory = new URL('../fixtures/operations/', import.meta.url);

/** Reads all operations of `test/fixtures/operations/` with their variables, in the order of their names. */
export function readDemoOperations(): readonly DemoOperation[] {
  return readOperationFiles(directory).map(({ name, source, variables }) => {
    const operation = parse(source).definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`${name} has no operation`);
    return { name, source, variables, kind: operation.operation };
  });
}
