import { type DirectiveNode, Kind, parse, print, visit } from 'graphql';
import { readOperationFiles } from '../harness/readOperationFiles.ts';
import type { Trial } from '../harness/trial.ts';
import { faultsHeader } from './graphs/framework/headers.ts';

interface RegressionOperation {
  readonly name: string;
  readonly graph: string;
  /** The first line of the file, which describes the case. */
  readonly description: string;
  readonly trial: Trial;
  /** The operation without `@defer`, if it has one. */
  readonly withoutDefer: Trial | undefined;
}

const directory = new URL('../fixtures/operations/regressions/', import.meta.url);

/** Reads all operations of `test/fixtures/operations/regressions/`. A line `# faults: <seed> <percent>` makes fields
 *  fail. */
export function readRegressionOperations(): readonly RegressionOperation[] {
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
      description: /^# (.*)$/m.exec(source)?.[1] ?? '',
      trial,
      withoutDefer: withoutDefer === print(parse(source)) ? undefined : { ...trial, source: withoutDefer },
    };
  });
}
