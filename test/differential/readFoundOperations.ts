import { type DirectiveNode, Kind, parse, print, visit } from 'graphql';
import type { Trial } from './askGateway.ts';
import { faultsHeader } from './graphs/framework/headers.ts';
import { readOperationFiles } from './readOperationFiles.ts';

export interface FoundOperation {
  readonly name: string;
  readonly graph: string;
  /** The first line, for a reader. */
  readonly about: string;
  readonly trial: Trial;
  /** The same without `@defer`, where it has one. */
  readonly whole: Trial | undefined;
}

const directory = new URL('../fixtures/operations/found/', import.meta.url);

/** Everything under `test/fixtures/operations/found/`. A line `# faults: <seed> <percent>` makes fields fail. */
export function readFoundOperations(): readonly FoundOperation[] {
  return readOperationFiles(directory).map(({ name, source, variables }) => {
    const faults = /^# faults: (.*)$/m.exec(source)?.[1];
    const trial: Trial = {
      source,
      variables,
      headers: faults === undefined ? {} : { [faultsHeader]: faults },
    };
    const withoutDefer = print(
      visit(parse(source), {
        [Kind.DIRECTIVE]: ({ name: { value } }: DirectiveNode) => (value === 'defer' ? null : undefined),
      }),
    );
    return {
      name,
      graph: name.slice(0, name.indexOf('.')),
      about: /^# (.*)$/m.exec(source)?.[1] ?? '',
      trial,
      whole: withoutDefer === print(parse(source)) ? undefined : { ...trial, source: withoutDefer },
    };
  });
}
