import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import type { FetchShapeRegistry } from '../../execution/fetchShape.ts';
import { createTargetCollector, parseFlattenPath } from '../../execution/flattenPath.ts';
import type { FetchStep, Program } from '../../execution/program.ts';
import { RepresentationReader } from '../../execution/representationReader.ts';
import type { TypeConditions } from '../../execution/typeConditions.ts';
import type { FetchDataRewrite, FetchNode, RequiresSelection } from '../../planning/queryPlan.ts';
import { requiresOf } from './entityKey.ts';
import type { RootField } from './rootField.ts';

interface CompletionProgramOptions {
  readonly program: Program;
  readonly field: RootField;
  /** The type of the event. */
  readonly typename: string;
  readonly key: SelectionSetNode;
  /** Field nodes of the first step's operation. */
  readonly missingNodes: ReadonlySet<FieldNode>;
  readonly shapes: FetchShapeRegistry;
  readonly conditions: TypeConditions;
}

/** Inserts a step after the first one, which fetches the fields that an event lacks from the subgraph, by entity key. All
 *  steps that depend on the first one then depend on the new one too. */
export function createCompletionProgram(options: CompletionProgramOptions): Program {
  const { program, field, shapes, conditions } = options;
  const fetch = createEntityFetch(options);
  const requires = fetch.requires ?? [];
  const path = parseFlattenPath([field.responseName]);
  const { step: first } = field;
  const added: FetchStep = {
    index: 1,
    shape: shapes.intern(fetch),
    path,
    collectTargets: createTargetCollector(path),
    requires,
    representationReader: new RepresentationReader(requires, [], conditions),
    contextReader: undefined,
    dependsOn: [0],
    group: first.group,
  };
  const moved = (index: number): readonly number[] => (index === 0 ? [0, 1] : [index + 1]);
  return {
    steps: [
      first,
      added,
      ...program.steps.slice(1).map((step) => ({
        ...step,
        index: step.index + 1,
        dependsOn: step.dependsOn.flatMap(moved),
      })),
    ],
    groups: program.groups.map((group) => ({
      ...group,
      steps: group.steps.flatMap(moved),
      dataSteps: group.dataSteps.flatMap(moved),
    })),
  };
}

function createEntityFetch({ field, typename, key, missingNodes }: CompletionProgramOptions): FetchNode {
  const { shape } = field.step;
  const isMissing = (node: FieldNode): boolean => missingNodes.has(node);
  const selected = selectMissing(field.node.selectionSet as SelectionSetNode, isMissing);
  const selections = { ...selected, selections: flattenFragments(selected.selections) };
  const variables = variableNamesIn(selections);
  const requires: RequiresSelection[] = [
    {
      kind: 'InlineFragment',
      typeCondition: typename,
      selections: [{ kind: 'Field', name: '__typename' }, ...requiresOf(key)],
    },
  ];
  return {
    kind: 'Fetch',
    serviceName: shape.subgraph,
    requires,
    variableUsages: shape.variables.filter((name) => variables.has(name)),
    operation: printEntityQuery(shape.document, variables, `... on ${typename} ${print(selections)}`),
    operationKind: 'query',
    outputRewrites: rewritesBelow(shape.outputRewrites, field.responseName),
  };
}

function printEntityQuery(
  { name, variableDefinitions = [] }: OperationDefinitionNode,
  variables: ReadonlySet<string>,
  selection: string,
): string {
  const definitions = variableDefinitions.filter(({ variable }) => variables.has(variable.name.value));
  const printed = ['$representations: [_Any!]!', ...definitions.map((definition) => print(definition))];
  const head = `query ${name?.value ?? ''}(${printed.join(', ')})`;
  return `${head} { _entities(representations: $representations) { ${selection} } }`;
}

/** The missing fields, with the fragments around them. */
function selectMissing(set: SelectionSetNode, isMissing: (node: FieldNode) => boolean): SelectionSetNode {
  return {
    ...set,
    selections: set.selections.flatMap((selection): SelectionNode[] => {
      if (selection.kind === Kind.FIELD && isMissing(selection)) return [selection];
      if (selection.kind === Kind.FRAGMENT_SPREAD || selection.selectionSet === undefined) return [];
      const selectionSet = selectMissing(selection.selectionSet, isMissing);
      return selectionSet.selections.length === 0 ? [] : [{ ...selection, selectionSet }];
    }),
  };
}

/** Removes type conditions, because the type of the object is known. Those of other types have no missing field. */
function flattenFragments(selections: readonly SelectionNode[]): SelectionNode[] {
  return selections.flatMap((selection) =>
    selection.kind === Kind.INLINE_FRAGMENT
      ? flattenFragments(selection.selectionSet.selections)
      : [selection],
  );
}

function variableNamesIn(set: SelectionSetNode): ReadonlySet<string> {
  const names = new Set<string>();
  visit(set, {
    [Kind.VARIABLE]: ({ name }) => {
      names.add(name.value);
    },
  });
  return names;
}

/** The rewrites relative to the root field, which is the only one of a subscription. */
function rewritesBelow(
  rewrites: readonly FetchDataRewrite[],
  responseName: string,
): readonly FetchDataRewrite[] {
  return rewrites.map((rewrite) => ({
    ...rewrite,
    path: rewrite.path.slice(rewrite.path.indexOf(responseName) + 1),
  }));
}
