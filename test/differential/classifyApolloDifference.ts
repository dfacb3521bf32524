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
  /** The order of keys and nothing else. */
  | 'order'
  /** Errors for forbidden nulls, and nothing else but the order of keys. */
  | 'nulls'
  /** It is right about the same operation with plain response names and without conditions. */
  | 'names and conditions'
  /** None of these, in a graph that the table has a case of. */
  | 'graph';

interface Difference {
  readonly graph: string;
  /** The operation without its own state as yet. */
  readonly createTrial: () => Trial;
  readonly expected: Answer;
  readonly apollo: Answer;
}

/** Why `@apollo/gateway` answers otherwise than the monolith; undefined for a reason that the table does not know. */
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

/** Graphs whose own subject is what the table's case is about. */
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

/** The operation with response names that no field has, and with everything in it that a condition may leave out. */
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
