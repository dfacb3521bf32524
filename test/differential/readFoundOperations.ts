import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type DirectiveNode, Kind, parse, print, visit } from 'graphql';
import type { Trial } from './askGateway.ts';
import { faultsHeader } from './graphs/framework/headers.ts';

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
const extension = '.graphql';

/** Everything under `test/fixtures/operations/found/`. A line `# faults: <seed> <percent>` makes fields fail. */
export function readFoundOperations(): readonly FoundOperation[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(extension))
    .sort()
    .map((file) => {
      const name = file.slice(0, -extension.length);
      const source = readFileSync(new URL(file, directory), 'utf8');
      const faults = /^# faults: (.*)$/m.exec(source)?.[1];
      const variablesFile = new URL(`${name}.variables.json`, directory);
      const trial: Trial = {
        source,
        variables: existsSync(variablesFile) ? JSON.parse(readFileSync(variablesFile, 'utf8')) : {},
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
