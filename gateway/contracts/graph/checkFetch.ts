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
import { type Fields, fieldsOf, fieldsOfRequires, isWithin, noFields } from '../../planning/fieldSets.ts';
import { errorCoordinates } from './errorCoordinates.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import type { PlannedFetch, Representation } from './flattenPlan.ts';
import { inputDifferences } from './inputDifferences.ts';
import { operationOf } from './operationOf.ts';
import { outputDifferences } from './outputDifferences.ts';
import type { FieldFacts, GraphFacts } from './subgraphFacts.ts';

/** Whether a fetch that was planned for one graph works with a subgraph of another; empty where it does.
 *  `planned` is the graph that it was planned for. */
export function checkFetch(
  fetch: PlannedFetch,
  planned: GraphFacts,
  target: FetchTarget,
): readonly FetchProblem[] {
  const errors = validate(target.schema, fetch.document);
  const problems = new FetchCheck(planned, target).check(fetch);
  // What does not even get as far as being executed has no data that could be wrong. What the subgraph may send now is
  // told all the same: it is a reason of its own, which is left when the request is taken again.
  if (errors.length > 0) {
    const coordinates = errorCoordinates(errors, fetch.document, target.schema);
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
    ...inputDifferences(operationOf(fetch.document), planned.schema, target),
    ...problems,
  ];
}

function checkKey({ typeName, selections }: Representation, target: FetchTarget): readonly FetchProblem[] {
  const sent = fieldsOfRequires(selections);
  const keys = (target.facts.keys.get(typeName) ?? []).filter(({ isResolvable }) => isResolvable);
  if (keys.some(({ fields }) => isWithin(fieldsOf([fields]), sent))) return [];
  const wanted = keys.map(({ fields }) => `"${wordsOf(fields)}"`).join(' or ');
  return [
    {
      kind: 'no key',
      isCertain: true,
      message:
        `subgraph "${target.name}" gets ${typeName} by { ${[...sent.keys()].join(' ')} }, ` +
        (keys.length === 0 ? 'and resolves no key of it' : `and resolves it by ${wanted}`),
      coordinates: [typeName],
    },
  ];
}

/** What holds for an object at some place of a fetch. */
interface Place {
  /** What was sent of it, if it is the entity of a representation. */
  readonly sent: Fields | undefined;
  /** External fields that a `@provides` on the way to it lets the subgraph resolve here. */
  readonly provided: Fields;
}

class FetchCheck {
  readonly #planned: GraphFacts;
  readonly #target: FetchTarget;
  readonly #problems = new Map<string, FetchProblem>();

  constructor(planned: GraphFacts, target: FetchTarget) {
    this.#planned = planned;
    this.#target = target;
  }

  check({ document, representations }: PlannedFetch): readonly FetchProblem[] {
    const operation = operationOf(document);
    const root = this.#target.schema.getRootType(operation.operation);
    if (root != null) {
      if (representations === undefined) {
        this.#checkSet(operation.selectionSet, root, { sent: undefined, provided: noFields });
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
        this.#checkSet(entities.selectionSet, type, { sent: fieldsOfRequires(sent), provided: noFields });
      }
    }
  }

  #checkSet(set: SelectionSetNode, type: GraphQLCompositeType, place: Place): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) this.#checkField(selection, set, type, place);
      if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
      const condition = selection.typeCondition?.name.value;
      const inner = condition === undefined ? type : this.#narrow(type, condition);
      if (inner !== undefined) this.#checkSet(selection.selectionSet, inner, place);
    }
  }

  /** `undefined` where the condition holds for no object of the type. */
  #narrow(type: GraphQLCompositeType, condition: string): GraphQLCompositeType | undefined {
    const narrower = this.#target.schema.getType(condition);
    if (!isCompositeType(narrower) || type === narrower) return type;
    if (!isAbstractType(type)) {
      return isAbstractType(narrower) && this.#target.schema.isSubType(narrower, type) ? type : undefined;
    }
    return narrower;
  }

  #checkField(field: FieldNode, within: SelectionSetNode, type: GraphQLCompositeType, place: Place): void {
    const name = field.name.value;
    const definition = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    if (definition === undefined) return;
    for (const owner of this.#ownersOf(type)) this.#checkOwner(field, within, owner, place);
    for (const problem of outputDifferences(type.name, definition, this.#planned.schema, this.#target)) {
      this.#add(problem);
    }
    const inner = getNamedType(definition.type);
    if (field.selectionSet === undefined || !isCompositeType(inner)) return;
    const provides = this.#factsOf(type.name, name)?.provides;
    const provided = provides === undefined ? place.provided.get(name)?.() : fieldsOf([provides]);
    this.#checkSet(field.selectionSet, inner, { sent: undefined, provided: provided ?? noFields });
  }

  /** The types whose field it may be at run time. */
  #ownersOf(type: GraphQLCompositeType): readonly string[] {
    return isAbstractType(type)
      ? [type.name, ...this.#target.schema.getPossibleTypes(type).map(({ name }) => name)]
      : [type.name];
  }

  #factsOf(typeName: string, fieldName: string): FieldFacts | undefined {
    return this.#target.facts.fields.get(`${typeName}.${fieldName}`);
  }

  #checkOwner(field: FieldNode, within: SelectionSetNode, owner: string, place: Place): void {
    const name = field.name.value;
    const coordinate = `${owner}.${name}`;
    const facts = this.#factsOf(owner, name);
    if (facts === undefined) return;
    const { name: subgraph } = this.#target;
    if (facts.isExternal && !this.#isOfKey(owner, name) && !place.provided.has(name)) {
      this.#add({
        kind: 'not served',
        isCertain: true,
        message: `${coordinate} is asked of subgraph "${subgraph}", where it is @external`,
        coordinates: [coordinate],
      });
    }
    if (facts.requires !== undefined) this.#checkInputs(coordinate, facts.requires, within, place);
    const missing = facts.contextArguments.filter(
      (argument) => !field.arguments?.some((given) => given.name.value === argument),
    );
    if (missing.length > 0) {
      this.#add({
        kind: 'missing input',
        isCertain: true,
        message: `subgraph "${subgraph}" computes ${coordinate} without its arguments from context: ${missing.join(', ')}`,
        coordinates: missing.map((argument) => `${coordinate}(${argument}:)`),
      });
    }
  }

  #isOfKey(typeName: string, fieldName: string): boolean {
    return (this.#target.facts.keys.get(typeName) ?? []).some(({ fields }) =>
      fieldsOf([fields]).has(fieldName),
    );
  }

  #checkInputs(coordinate: string, requires: SelectionSetNode, within: SelectionSetNode, place: Place): void {
    const wanted = fieldsOf([requires]);
    // Within an answer of the subgraph itself it has what the planner selected beside the field.
    const available = place.sent ?? fieldsOf([within]);
    const message = `subgraph "${this.#target.name}" computes ${coordinate}`;
    if (!isWithin(wanted, available)) {
      const missing = [...wanted].filter(([name, below]) => {
        const same = available.get(name);
        return same === undefined || !isWithin(below(), same());
      });
      this.#add({
        kind: 'missing input',
        isCertain: true,
        message: `${message} from "${wordsOf(requires)}", and is not sent ${missing.map(([name]) => name).join(', ')}`,
        coordinates: [coordinate],
      });
      return;
    }
    const before = this.#planned.subgraphs.get(this.#target.name)?.fields.get(coordinate)?.requires;
    if (before !== undefined && !isWithin(argumentsIn(requires), argumentsIn(before))) {
      this.#add({
        kind: 'missing input',
        isCertain: true,
        message: `${message} from "${wordsOf(requires)}", and is sent "${wordsOf(before)}": values for other arguments`,
        coordinates: [coordinate],
      });
    }
  }

  #add(problem: FetchProblem): void {
    this.#problems.set(`${problem.kind} ${problem.message}`, problem);
  }
}

/** The fields of a set that have arguments, each under a name that has them. */
function argumentsIn(set: SelectionSetNode): Fields {
  return new Map(
    set.selections.flatMap((selection): [string, () => Fields][] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
      if (selection.kind === Kind.INLINE_FRAGMENT) return [...argumentsIn(selection.selectionSet)];
      const given = (selection.arguments ?? []).map(print).sort().join(', ');
      const below = selection.selectionSet === undefined ? noFields : argumentsIn(selection.selectionSet);
      return given === '' && below.size === 0 ? [] : [[`${selection.name.value}(${given})`, () => below]];
    }),
  );
}

/** A field set as it is written in a directive. */
function wordsOf(set: SelectionSetNode): string {
  return print(set).slice(1, -1).replaceAll(/\s+/g, ' ').trim();
}
