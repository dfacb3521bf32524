import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
  isExecutableDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type Token,
  visit,
} from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { locationOf, parseGraphQL } from './parseGraphQL.ts';
import { findMisplacedSlos, readSlo } from './readSlo.ts';

interface ReadOperationsOptions {
  readonly consumer: string;
  readonly file: string;
  readonly text: string;
}

interface OperationsResult {
  readonly operations: readonly ConsumerOperation[];
  readonly problems: readonly Finding[];
}

/** Reads the operations in one file of a consumer. */
export function readOperations({ consumer, file, text }: ReadOperationsOptions): OperationsResult {
  const parsed = parseGraphQL({
    text,
    file,
    rule: 'operation-unparseable',
  });
  if ('problem' in parsed) return { operations: [], problems: [parsed.problem] };
  const { document } = parsed;
  const problems: Finding[] = findForeignDefinitions(document);
  const fragments = collectFragments(document, problems);
  const operations: ConsumerOperation[] = [];
  const sloComments = new Set<Token>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { slo, problems: sloProblems, comments } = readSlo(definition, file);
    for (const comment of comments) sloComments.add(comment);
    problems.push(...sloProblems);
    const location = locationOf(definition);
    if (definition.name === undefined) {
      problems.push(unnamedOperation(definition));
      continue;
    }
    const used = collectUsedFragments(definition, fragments, problems);
    if (used === undefined) continue;
    const definitions = [definition, ...used];
    const ownDocument: DocumentNode = { kind: Kind.DOCUMENT, definitions };
    operations.push({
      consumer,
      name: definition.name.value,
      document: ownDocument,
      location,
      slo,
    });
  }
  problems.push(...findMisplacedSlos(document.loc?.startToken, sloComments, file));
  return { operations, problems };
}

/** Finds operations of one consumer with the same name: a finding could not say which of them it means. */
export function findDuplicates(operations: readonly ConsumerOperation[]): Finding[] {
  const first = new Map<string, ConsumerOperation>();
  const problems: Finding[] = [];
  for (const operation of operations) {
    const key = `${operation.consumer}\n${operation.name}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, operation);
      continue;
    }
    const { file, line } = earlier.location;
    problems.push(
      createFinding('operation-duplicate', {
        message: `${operation.consumer} has a second operation ${operation.name}; the first is at ${file}:${line}.`,
        location: operation.location,
      }),
    );
  }
  return problems;
}

function findForeignDefinitions(document: DocumentNode): Finding[] {
  return document.definitions
    .filter((definition) => !isExecutableDefinitionNode(definition))
    .map((definition) =>
      createFinding('operation-unparseable', {
        message: 'A file of operations contains a type or directive definition.',
        advice: 'Keep only operations and fragments in files of a consumer, and schemas in schemas/.',
        location: locationOf(definition),
      }),
    );
}

function collectFragments(document: DocumentNode, problems: Finding[]): Map<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
    const name = definition.name.value;
    if (!fragments.has(name)) fragments.set(name, definition);
    else {
      problems.push(
        createFinding('fragment-duplicate', {
          message: `There is a second fragment ${name} in this file.`,
          location: locationOf(definition),
        }),
      );
    }
  }
  return fragments;
}

/** The fragments that the operation uses, in order of their first use; `undefined` when one is missing. */
function collectUsedFragments(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  problems: Finding[],
): FragmentDefinitionNode[] | undefined {
  const used = new Map<string, FragmentDefinitionNode>();
  const missing = new Set<string>();
  const queue: (OperationDefinitionNode | FragmentDefinitionNode)[] = [operation];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    visit(next, {
      [Kind.FRAGMENT_SPREAD]: (spread: FragmentSpreadNode) => {
        const name = spread.name.value;
        const fragment = fragments.get(name);
        if (used.has(name) || missing.has(name)) return;
        if (fragment !== undefined) {
          used.set(name, fragment);
          queue.push(fragment);
          return;
        }
        missing.add(name);
        problems.push(
          createFinding('fragment-missing', {
            message: `Operation ${operation.name?.value} uses fragment ${name}, which is not in this file.`,
            location: locationOf(spread),
          }),
        );
      },
    });
  }
  return missing.size > 0 ? undefined : [...used.values()];
}

function unnamedOperation(operation: OperationDefinitionNode): Finding {
  return createFinding('operation-unnamed', {
    message: `A ${operation.operation} has no name.`,
    location: locationOf(operation),
  });
}
