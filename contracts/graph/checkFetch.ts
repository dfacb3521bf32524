import {
  type FieldNode,
  type GraphQLCompositeType,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  print,
  type SelectionSetNode,
  validate,
} from 'graphql';
import {
  emptyFieldTree,
  type FieldTree,
  fieldTreeOf,
  fieldTreeOfRequires,
  isFieldSubset,
} from '../../gateway/planning/fieldTree.ts';
import { printFieldSet } from '../diff/fieldSet.ts';
import { errorCoordinatesOf } from './errorCoordinatesOf.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import { findInputDifferences } from './findInputDifferences.ts';
import { findOutputDifferences } from './findOutputDifferences.ts';
import type { PlannedFetch, Representation } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import type { FieldMetadata, SupergraphMetadata } from './supergraphMetadata.ts';

/** Checks a fetch that was planned for one graph against a subgraph of another. `planned` describes the graph of the
 *  plan. Returns nothing when the fetch works. */
export function checkFetch(
  fetch: PlannedFetch,
  planned: SupergraphMetadata,
  target: FetchTarget,
): readonly FetchProblem[] {
  const errors = validate(target.schema, fetch.document);
  const problems = new FetchVerifier(planned, target).verify(fetch);
  // A refused request returns no data that could be wrong. Unknown values are reported all the same: they are a
  // reason of their own, and remain when the request is accepted again.
  if (errors.length > 0) {
    const coordinates = errorCoordinatesOf(errors, fetch.document, target.schema);
    return [
      ...errors.map(
        ({ message }, index): FetchProblem => ({
          kind: 'invalid',
          isCertain: true,
          message: `subgraph "${target.name}" refuses the request: ${message}`,
          coordinates: coordinates[index] ?? [],
        }),
      ),
      ...problems.filter(({ kind }) => kind === 'unknown value'),
    ];
  }
  return [
    ...(fetch.representations ?? []).flatMap((representation) => checkKey(representation, target)),
    ...findInputDifferences(operationOf(fetch.document), planned.schema, target),
    ...problems,
  ];
}

function checkKey({ typeName, selections }: Representation, target: FetchTarget): readonly FetchProblem[] {
  const sent = fieldTreeOfRequires(selections);
  const keys = (target.metadata.keys.get(typeName) ?? []).filter(({ isResolvable }) => isResolvable);
  if (keys.some(({ fields }) => isFieldSubset(fieldTreeOf([fields]), sent))) return [];
  const required = keys.map(({ fields }) => `"${printFieldSet(fields)}"`).join(' or ');
  return [
    {
      kind: 'no key',
      isCertain: true,
      message:
        `subgraph "${target.name}" receives ${typeName} with { ${[...sent.keys()].join(' ')} }, ` +
        (keys.length === 0 ? 'but resolves no key of it' : `but resolves it by ${required}`),
      coordinates: [typeName],
    },
  ];
}

/** What is known of the object that a selection set selects from. */
interface SelectionContext {
  /** The fields that the representation of the object has, if it is an entity of a representation. */
  readonly sentFields: FieldTree | undefined;
  /** External fields that a `@provides` above lets the subgraph resolve here. */
  readonly providedFields: FieldTree;
}

class FetchVerifier {
  readonly #planned: SupergraphMetadata;
  readonly #target: FetchTarget;
  readonly #problems = new Map<string, FetchProblem>();

  constructor(planned: SupergraphMetadata, target: FetchTarget) {
    this.#planned = planned;
    this.#target = target;
  }

  verify({ document, representations }: PlannedFetch): readonly FetchProblem[] {
    const operation = operationOf(document);
    const root = this.#target.schema.getRootType(operation.operation);
    if (root != null) {
      if (representations === undefined) {
        this.#checkSelectionSet(operation.selectionSet, root, {
          sentFields: undefined,
          providedFields: emptyFieldTree,
        });
      } else {
        this.#checkEntities(operation.selectionSet, representations);
      }
    }
    return [...this.#problems.values()];
  }

  #checkEntities({ selections }: SelectionSetNode, representations: readonly Representation[]): void {
    for (const entities of selections) {
      if (entities.kind !== Kind.FIELD || entities.selectionSet === undefined) continue;
      for (const { typeName, selections: sent } of representations) {
        const type = this.#target.schema.getType(typeName);
        if (!isCompositeType(type)) continue;
        this.#checkSelectionSet(entities.selectionSet, type, {
          sentFields: fieldTreeOfRequires(sent),
          providedFields: emptyFieldTree,
        });
      }
    }
  }

  #checkSelectionSet(set: SelectionSetNode, type: GraphQLCompositeType, context: SelectionContext): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) this.#checkField(selection, set, type, context);
      if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
      const condition = selection.typeCondition?.name.value;
      const inner = condition === undefined ? type : this.#narrow(type, condition);
      if (inner !== undefined) this.#checkSelectionSet(selection.selectionSet, inner, context);
    }
  }

  /** The type under a type condition; `undefined` when the condition holds for no object of the type. */
  #narrow(type: GraphQLCompositeType, condition: string): GraphQLCompositeType | undefined {
    const narrower = this.#target.schema.getType(condition);
    if (!isCompositeType(narrower) || type === narrower) return type;
    if (!isAbstractType(type)) {
      return isAbstractType(narrower) && this.#target.schema.isSubType(narrower, type) ? type : undefined;
    }
    return narrower;
  }

  #checkField(
    field: FieldNode,
    siblings: SelectionSetNode,
    type: GraphQLCompositeType,
    context: SelectionContext,
  ): void {
    const name = field.name.value;
    const definition = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    if (definition === undefined) return;
    for (const owner of this.#ownersOf(type)) this.#checkFieldOfType(field, siblings, owner, context);
    for (const problem of findOutputDifferences(type.name, definition, this.#planned.schema, this.#target)) {
      this.#addProblem(problem);
    }
    const inner = getNamedType(definition.type);
    if (field.selectionSet === undefined || !isCompositeType(inner)) return;
    const provides = this.#metadataOf(type.name, name)?.provides;
    const provided = provides === undefined ? context.providedFields.get(name)?.() : fieldTreeOf([provides]);
    this.#checkSelectionSet(field.selectionSet, inner, {
      sentFields: undefined,
      providedFields: provided ?? emptyFieldTree,
    });
  }

  /** The types that the field's parent can have at run time. */
  #ownersOf(type: GraphQLCompositeType): readonly string[] {
    return isAbstractType(type)
      ? [type.name, ...this.#target.schema.getPossibleTypes(type).map(({ name }) => name)]
      : [type.name];
  }

  #metadataOf(typeName: string, fieldName: string): FieldMetadata | undefined {
    return this.#target.metadata.fields.get(`${typeName}.${fieldName}`);
  }

  #checkFieldOfType(
    field: FieldNode,
    siblings: SelectionSetNode,
    owner: string,
    context: SelectionContext,
  ): void {
    const name = field.name.value;
    const coordinate = `${owner}.${name}`;
    const metadata = this.#metadataOf(owner, name);
    if (metadata === undefined) return;
    const { name: subgraph } = this.#target;
    if (metadata.isExternal && !this.#isKeyField(owner, name) && !context.providedFields.has(name)) {
      this.#addProblem({
        kind: 'not served',
        isCertain: true,
        message: `${coordinate} is fetched from subgraph "${subgraph}", where it is @external`,
        coordinates: [coordinate],
      });
    }
    if (metadata.requires !== undefined)
      this.#checkRequires(coordinate, metadata.requires, siblings, context);
    const missing = metadata.contextArguments.filter(
      (argument) => !field.arguments?.some((given) => given.name.value === argument),
    );
    if (missing.length > 0) {
      this.#addProblem({
        kind: 'missing input',
        isCertain: true,
        message: `subgraph "${subgraph}" computes ${coordinate} without its arguments from context: ${missing.join(', ')}`,
        coordinates: missing.map((argument) => `${coordinate}(${argument}:)`),
      });
    }
  }

  #isKeyField(typeName: string, fieldName: string): boolean {
    return (this.#target.metadata.keys.get(typeName) ?? []).some(({ fields }) =>
      fieldTreeOf([fields]).has(fieldName),
    );
  }

  #checkRequires(
    coordinate: string,
    requires: SelectionSetNode,
    siblings: SelectionSetNode,
    context: SelectionContext,
  ): void {
    const required = fieldTreeOf([requires]);
    // Inside an answer of the subgraph, the inputs of a field are the fields that the planner selected beside it.
    const available = context.sentFields ?? fieldTreeOf([siblings]);
    const message = `subgraph "${this.#target.name}" computes ${coordinate}`;
    if (!isFieldSubset(required, available)) {
      const missing = [...required].filter(([name, below]) => {
        const same = available.get(name);
        return same === undefined || !isFieldSubset(below(), same());
      });
      this.#addProblem({
        kind: 'missing input',
        isCertain: true,
        message: `${message} from "${printFieldSet(requires)}", but does not receive ${missing.map(([name]) => name).join(', ')}`,
        coordinates: [coordinate],
      });
      return;
    }
    const before = this.#planned.subgraphs.get(this.#target.name)?.fields.get(coordinate)?.requires;
    if (before !== undefined && !isFieldSubset(fieldsWithArguments(requires), fieldsWithArguments(before))) {
      this.#addProblem({
        kind: 'missing input',
        isCertain: true,
        message: `${message} from "${printFieldSet(requires)}", but receives "${printFieldSet(before)}": values for other arguments`,
        coordinates: [coordinate],
      });
    }
  }

  #addProblem(problem: FetchProblem): void {
    this.#problems.set(`${problem.kind} ${problem.message}`, problem);
  }
}

/** The fields of a set that have arguments, under names that include the arguments. */
function fieldsWithArguments(set: SelectionSetNode): FieldTree {
  return new Map(
    set.selections.flatMap((selection): [string, () => FieldTree][] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
      if (selection.kind === Kind.INLINE_FRAGMENT) return [...fieldsWithArguments(selection.selectionSet)];
      const given = (selection.arguments ?? []).map(print).sort().join(', ');
      const below =
        selection.selectionSet === undefined ? emptyFieldTree : fieldsWithArguments(selection.selectionSet);
      return given === '' && below.size === 0 ? [] : [[`${selection.name.value}(${given})`, () => below]];
    }),
  );
}
