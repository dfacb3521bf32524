import {
  type DocumentNode,
  type FieldNode,
  FieldsOnCorrectTypeRule,
  FragmentsOnCompositeTypesRule,
  type GraphQLCompositeType,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  KnownArgumentNamesRule,
  KnownDirectivesRule,
  KnownTypeNamesRule,
  type OperationDefinitionNode,
  OverlappingFieldsCanBeMergedRule,
  PossibleFragmentSpreadsRule,
  ProvidedRequiredArgumentsRule,
  ScalarLeafsRule,
  type SelectionSetNode,
  UniqueDirectivesPerLocationRule,
  ValuesOfCorrectTypeRule,
  VariablesAreInputTypesRule,
  VariablesInAllowedPositionRule,
  validate,
} from 'graphql';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
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
import { fieldOf } from './fieldOf.ts';
import { findDifferingArguments } from './findDifferingArguments.ts';
import { findInputDifferences } from './findInputDifferences.ts';
import { findOutputDifferences, findTypeDifferences } from './findOutputDifferences.ts';
import type { PlannedRequest, Representation } from './flattenPlan.ts';
import { operationOf, rootTypeNameOf } from './operationOf.ts';
import type { FieldMetadata, SupergraphMetadata } from './supergraphMetadata.ts';

/** Checks a fetch that was planned for one graph against a subgraph of another. `planned` describes the graph of the
 *  plan. Returns nothing when the fetch works. */
export function checkFetch(
  fetch: PlannedRequest,
  planned: SupergraphMetadata,
  target: FetchTarget,
): readonly FetchProblem[] {
  const { document, representations = [] } = fetch;
  const operation = operationOf(document);
  // Another reason to refuse the request may go away, so each problem is reported beside the others.
  return [
    ...findRefusals(operation, document, target),
    ...representations.flatMap((representation) => checkKey(representation, target)),
    ...findInputDifferences(operation, planned.schema, target),
    ...new FetchVerifier(planned, target).verify(fetch),
  ];
}

/** The rules that depend on the schema. The planner's documents satisfy the others, which would take half of the time. */
const schemaRules = [
  FieldsOnCorrectTypeRule,
  FragmentsOnCompositeTypesRule,
  KnownArgumentNamesRule,
  KnownDirectivesRule,
  KnownTypeNamesRule,
  OverlappingFieldsCanBeMergedRule,
  PossibleFragmentSpreadsRule,
  ProvidedRequiredArgumentsRule,
  ScalarLeafsRule,
  UniqueDirectivesPerLocationRule,
  ValuesOfCorrectTypeRule,
  VariablesAreInputTypesRule,
  VariablesInAllowedPositionRule,
];

/** Why the subgraph refuses the document. */
function findRefusals(
  { operation: kind }: OperationDefinitionNode,
  document: DocumentNode,
  { name, schema }: FetchTarget,
): readonly FetchProblem[] {
  const errors = validate(schema, document, schemaRules);
  const coordinates = errorCoordinatesOf(errors, document, schema);
  const reasons = errors.map(({ message }, index) => ({ message, coordinates: coordinates[index] ?? [] }));
  // `validate` reports nothing for a missing root type.
  if (schema.getRootType(kind) == null) {
    reasons.unshift({ message: `It has no ${kind} type.`, coordinates: [rootTypeNameOf(kind)] });
  }
  return reasons.map((reason) => ({
    kind: 'invalid',
    isCertain: true,
    message: `subgraph "${name}" refuses the request: ${reason.message}`,
    coordinates: reason.coordinates,
  }));
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

  verify({ document, representations }: PlannedRequest): readonly FetchProblem[] {
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
        this.#checkResolvedTypes(type);
        this.#checkSelectionSet(entities.selectionSet, type, {
          sentFields: fieldTreeOfRequires(sent),
          providedFields: emptyFieldTree,
        });
      }
    }
  }

  /** Finds types of entities that the subgraph may resolve for representations of an interface, and that the gateway
   *  does not know. */
  #checkResolvedTypes(type: GraphQLCompositeType): void {
    const expected = this.#planned.schema.getType(type.name);
    if (!isAbstractType(type) || !isAbstractType(expected)) return;
    const { name: subgraph, schema } = this.#target;
    const types = { expectedIn: this.#planned.schema, servedIn: schema, isTypeNamed: false };
    for (const { kind, description, coordinates } of findTypeDifferences(expected, type, types)) {
      this.#addProblem({
        kind,
        isCertain: false,
        message: `subgraph "${subgraph}" resolves an entity of ${type} to a type that the gateway does not expect: ${description}`,
        coordinates,
      });
    }
  }

  #checkSelectionSet(set: SelectionSetNode, type: GraphQLCompositeType, context: SelectionContext): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) this.#checkField(selection, set, type, context);
      if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
      const condition = selection.typeCondition?.name.value;
      if (condition !== undefined) this.#checkCondition(type, condition);
      const inner = condition === undefined ? type : this.#narrow(type, condition);
      if (inner !== undefined) this.#checkSelectionSet(selection.selectionSet, inner, context);
    }
  }

  /** Finds object types that the planner expects a fragment to apply to, and that it does not apply to here. */
  #checkCondition(type: GraphQLCompositeType, condition: string): void {
    const { name: subgraph, schema } = this.#target;
    const expected = this.#planned.subgraphs.get(subgraph)?.members.get(condition);
    const narrower = schema.getType(condition);
    if (expected === undefined || !isAbstractType(narrower)) return;
    for (const one of possibleTypesOf(schema, type)) {
      if (!expected.has(one.name) || schema.isSubType(narrower, one)) continue;
      this.#addProblem({
        kind: 'not matched',
        isCertain: one === type,
        message: `subgraph "${subgraph}" does not apply the fragment on ${condition} to ${one.name}, which is not one of its types`,
        coordinates: [one.name],
      });
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
    const definition = fieldOf(type, name);
    if (definition === undefined) return;
    const isTypeNamed = field.selectionSet !== undefined && selectsTypename(field.selectionSet);
    const owners = this.#ownersOf(type);
    for (const owner of owners) {
      this.#checkFieldOfType(field, siblings, owner, context);
      // Object types may promise more about the field than their interface does, and the gateway relies on it.
      if (owner === type.name && owners.length > 1) continue;
      const served = fieldOf(this.#target.schema.getType(owner), name);
      if (served === undefined) continue;
      const known = fieldOf(this.#planned.schema.getType(owner), name) === undefined ? type.name : owner;
      const { schema } = this.#planned;
      for (const problem of findOutputDifferences(known, served, schema, this.#target, isTypeNamed))
        this.#addProblem(problem);
    }
    const inner = getNamedType(definition.type);
    if (field.selectionSet === undefined || !isCompositeType(inner)) return;
    this.#checkInterfaceObject(`${type.name}.${name}`, inner);
    this.#checkUnselectedTypes(`${type.name}.${name}`, inner);
    const provides = this.#metadataOf(type.name, name)?.provides;
    const provided = provides === undefined ? context.providedFields.get(name)?.() : fieldTreeOf([provides]);
    this.#checkSelectionSet(field.selectionSet, inner, {
      sentFields: undefined,
      providedFields: provided ?? emptyFieldTree,
    });
  }

  /** Finds interface objects where the gateway expects objects of the interface's types: their `__typename` is that of the
   *  interface, which is no type of an object. */
  #checkInterfaceObject(coordinate: string, type: GraphQLCompositeType): void {
    const { name: subgraph } = this.#target;
    const isServed = isObjectType(type) && isAbstractType(this.#planned.schema.getType(type.name));
    const isExpected = this.#planned.subgraphs.get(subgraph)?.interfaceObjects.has(type.name);
    if (!isServed || isExpected !== false) return;
    this.#addProblem({
      kind: 'other type',
      isCertain: true,
      message: `subgraph "${subgraph}" serves ${coordinate} as an interface object, but the gateway expects a type of ${type.name}`,
      coordinates: [type.name],
    });
  }

  /** Finds types that the gateway knows, and that the plan does not expect from this subgraph. */
  #checkUnselectedTypes(coordinate: string, type: GraphQLCompositeType): void {
    const { name: subgraph, schema } = this.#target;
    const expected = this.#planned.subgraphs.get(subgraph)?.members.get(type.name);
    const known = this.#planned.schema.getType(type.name);
    if (expected === undefined || !isAbstractType(type) || !isAbstractType(known)) return;
    for (const one of schema.getPossibleTypes(type)) {
      const same = this.#planned.schema.getType(one.name);
      if (expected.has(one.name) || !isObjectType(same) || !this.#planned.schema.isSubType(known, same))
        continue;
      this.#addProblem({
        kind: 'unselected type',
        isCertain: false,
        message: `subgraph "${subgraph}" may return ${one.name} for ${coordinate}, and plans select nothing from it there`,
        coordinates: [coordinate, one.name],
      });
    }
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
    this.#checkContext(coordinate, metadata.contextArguments, field);
  }

  #checkContext(coordinate: string, expected: FieldMetadata['contextArguments'], field: FieldNode): void {
    const { name: subgraph } = this.#target;
    const given = this.#planned.subgraphs.get(subgraph)?.fields.get(coordinate)?.contextArguments;
    for (const [name, value] of expected) {
      const isPassed = field.arguments?.some((argument) => argument.name.value === name) === true;
      const passed = isPassed ? given?.get(name) : undefined;
      const common = [...(passed?.selections.keys() ?? [])].filter((type) => value.selections.has(type));
      const isSame = common.every((type) => passed?.selections.get(type) === value.selections.get(type));
      const isSameType = passed === undefined || common.length > 0;
      if (isPassed && isSameType && isSame) continue;
      const problem =
        passed === undefined
          ? 'without it'
          : `although it is filled from "${passed.description}" by the gateway`;
      this.#addProblem({
        kind: 'missing input',
        isCertain: true,
        message: `subgraph "${subgraph}" computes ${coordinate} with the argument ${name} from "${value.description}", ${problem}`,
        coordinates: [
          `${coordinate}(${name}:)`,
          ...(isSameType ? [] : [...value.selections.keys(), ...passed.selections.keys()]),
        ],
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
    if (before === undefined) return;
    const [owner = ''] = coordinate.split('.');
    const differing = findDifferingArguments(
      { set: requires, schema: this.#target.schema },
      { set: before, schema: this.#planned.schema },
      owner,
    );
    if (differing.length > 0) {
      this.#addProblem({
        kind: 'missing input',
        isCertain: true,
        message: `${message} from "${printFieldSet(requires)}", but receives "${printFieldSet(before)}" with other values of ${differing.join(', ')}`,
        coordinates: [coordinate, ...differing],
      });
    }
  }

  #addProblem(problem: FetchProblem): void {
    this.#problems.set(`${problem.kind} ${problem.message}`, problem);
  }
}

/** Whether the name of the object's type is fetched. */
function selectsTypename({ selections }: SelectionSetNode): boolean {
  return selections.some((selection) =>
    selection.kind === Kind.FIELD
      ? selection.name.value === '__typename'
      : selection.kind === Kind.INLINE_FRAGMENT && selectsTypename(selection.selectionSet),
  );
}
