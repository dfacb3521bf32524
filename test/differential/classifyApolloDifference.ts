import {
  type DirectiveNode,
  type FieldNode,
  Kind,
  parse,
  print,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import type { Trial } from '../harness/trial.ts';
import type { Answer } from './answer.ts';
import { apolloDifferences } from './apolloDifferences.ts';
import type { ApolloPeer } from './apolloPeer.ts';
import { findDataDifference } from './compareAnswers.ts';
import type { Monolith } from './trials.ts';

export type DifferenceKind =
  /** Only the order of keys differs. */
  | 'order'
  /** Only errors for forbidden nulls and the order of keys differ. */
  | 'nulls'
  /** Apollo Gateway is correct for the same operation with plain response names and without conditions. */
  | 'names and conditions'
  /** None of the above, in a graph that has a case in the table. */
  | 'graph';

interface Difference {
  readonly graph: string;
  /** Creates the operation with a state of its own. */
  readonly createTrial: () => Trial;
  readonly expected: Answer;
  readonly apollo: Answer;
}

/** Why the response of `@apollo/gateway` differs from the monolith's; `undefined` for a reason that is not in the
 *  table. */
export async function classifyApolloDifference(
  { graph, createTrial, expected, apollo }: Difference,
  monolith: Monolith,
  peer: ApolloPeer,
): Promise<DifferenceKind | undefined> {
  if (hasData(expected, apollo)) return expected.errors.length === 0 ? 'order' : 'nulls';
  const plain = toPlainTrial(createTrial());
  if (hasData(await monolith.execute(plain), await peer.execute(plain))) return 'names and conditions';
  return structuralGraphs.has(graph) ? 'graph' : undefined;
}

/** Graphs that exist for the subject of a case in the table. */
const structuralGraphs: ReadonlySet<string> = new Set(
  apolloDifferences.flatMap(({ graph, alsoInGraphs = [], isGraphIndependent = false }) =>
    isGraphIndependent ? [] : [graph, ...alsoInGraphs],
  ),
);

const violation = 'Cannot return null for non-nullable field';

function hasData(expected: Answer, { data, errors }: Answer): boolean {
  return (
    errors.every(({ message }) => message.startsWith(violation)) &&
    findDataDifference(expected.data, data, false) === undefined
  );
}

/** The operation with response names that differ from all field names, and without the conditions that could omit
 *  fields. */
export function toPlainTrial(trial: Trial): Trial {
  const plain = visit(parse(trial.source), {
    [Kind.FIELD]: (node: FieldNode): FieldNode | undefined => {
      const { name, alias = name } = node;
      return alias.value === '__typename' && name.value === '__typename'
        ? undefined
        : { ...node, alias: { ...alias, value: `plain_${alias.value}` } };
    },
    [Kind.DIRECTIVE]: ({ name }: DirectiveNode) =>
      ['skip', 'include'].includes(name.value) ? null : undefined,
  });
  const used = new Set<string>();
  visit(plain, {
    [Kind.VARIABLE_DEFINITION]: () => false,
    [Kind.VARIABLE]: ({ name }) => void used.add(name.value),
  });
  const source = print(
    visit(plain, {
      [Kind.VARIABLE_DEFINITION]: ({ variable }: VariableDefinitionNode) =>
        used.has(variable.name.value) ? undefined : null,
    }),
  );
  const variables = Object.fromEntries(Object.entries(trial.variables).filter(([name]) => used.has(name)));
  return { ...trial, source, variables };
}
