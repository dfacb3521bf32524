import type { DocumentNode, SelectionSetNode } from 'graphql';
import { fieldTreeOf, fieldTreeOfRequires, isFieldSubset } from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, QueryPlan, RequiresInlineFragment, RequiresSelection } from './queryPlan.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  parseFieldSet,
  subgraphNamesOf,
} from './supergraphDocument.ts';

/** Sees to it that every representation has a key and no input is wanted in vain. With `@interfaceObject` the planner
 *  mixes up which types need which inputs:
 *
 *  - It may ask for the key of one type and for an input of all of them (`... on Film { id } ... on Media { title }`):
 *    an object of another type would go out with the input alone, and come back as an error. The input moves to the
 *    types that have a key.
 *  - It may ask for an input of all types that was only fetched for one of them (`... on Film { id }
 *    ... on Media { id title }`): an object of another type would not be sent at all. The input becomes optional. */
export class RepresentationCompleter {
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  /** By `subgraph Type`. */
  readonly #keys = new Map<string, SelectionSetNode[]>();
  readonly #interfaceObjects = new Set<string>();

  constructor(supergraph: DocumentNode) {
    this.#types = compositesOf(supergraph);
    const names = subgraphNamesOf(supergraph);
    for (const [typeName, { directives = [] }] of this.#types) {
      for (const directive of directives) {
        if (directive.name.value !== 'join__type') continue;
        const key = parseFieldSet(argumentOf(directive, 'key'));
        if (key === undefined) continue;
        const place = `${names.get(argumentOf(directive, 'graph') ?? '')} ${typeName}`;
        this.#keys.set(place, [...(this.#keys.get(place) ?? []), key]);
        if (argumentOf(directive, 'isInterfaceObject') === 'true') this.#interfaceObjects.add(place);
      }
    }
  }

  complete(plan: QueryPlan): QueryPlan {
    return mapFetches(plan, (fetch) => {
      if (fetch.requires === undefined || fetch.requires.length < 2) return fetch;
      const requires = this.#completeRequires(fetch, fetch.requires) ?? fetch.requires;
      return { ...fetch, requires: this.#markOptionalInputs(fetch, requires) };
    });
  }

  /** `undefined` where nothing is to be changed. */
  #completeRequires(
    fetch: FetchNode,
    requires: readonly RequiresSelection[],
  ): RequiresSelection[] | undefined {
    const fragments = requires.filter((selection) => selection.kind === 'InlineFragment');
    const keyed = fragments.filter((fragment) => this.#hasKey(fetch.serviceName, fragment));
    const lacking = fragments.filter(
      (fragment) => !keyed.includes(fragment) && !keyed.some((other) => this.#isSubtype(fragment, other)),
    );
    if (keyed.length === 0 || lacking.length === 0) return undefined;
    return requires.flatMap((selection): RequiresSelection[] => {
      if (selection.kind !== 'InlineFragment' || lacking.includes(selection)) {
        return selection.kind === 'InlineFragment' ? [] : [selection];
      }
      if (!keyed.includes(selection)) return [selection];
      const added = lacking
        .filter((other) => this.#isSubtype(selection, other))
        .flatMap(({ selections }) => selections)
        .filter((field) => !(field.kind === 'Field' && field.name === '__typename'));
      return [{ ...selection, selections: [...selection.selections, ...added] }];
    });
  }

  #markOptionalInputs(
    { serviceName }: FetchNode,
    requires: readonly RequiresSelection[],
  ): RequiresSelection[] {
    return requires.map((selection) => {
      if (selection.kind !== 'InlineFragment' || selection.typeCondition === undefined) return selection;
      const keys = this.#keys.get(`${serviceName} ${selection.typeCondition}`) ?? [];
      const isMixed =
        this.#interfaceObjects.has(`${serviceName} ${selection.typeCondition}`) &&
        requires.some(
          (other) =>
            other !== selection && other.kind === 'InlineFragment' && this.#isSubtype(other, selection),
        );
      if (!isMixed) return selection;
      const keyFields = new Set(keys.flatMap((key) => [...fieldTreeOf([key]).keys(), '__typename']));
      return {
        ...selection,
        selections: selection.selections.map((field) =>
          field.kind === 'Field' && !keyFields.has(field.name) ? { ...field, isOptional: true } : field,
        ),
      };
    });
  }

  #hasKey(subgraph: string, { typeCondition, selections }: RequiresInlineFragment): boolean {
    if (typeCondition === undefined) return true;
    const fields = fieldTreeOfRequires(selections);
    const { interfaces = [] } = this.#types.get(typeCondition) ?? {};
    return [typeCondition, ...interfaces.map(({ name }) => name.value)].some((typeName) =>
      (this.#keys.get(`${subgraph} ${typeName}`) ?? []).some((key) =>
        isFieldSubset(fieldTreeOf([key]), fields),
      ),
    );
  }

  /** Whether every object of the one fragment's type is of the other's. */
  #isSubtype(one: RequiresInlineFragment, other: RequiresInlineFragment): boolean {
    if (one.typeCondition === undefined || other.typeCondition === undefined) return true;
    if (one.typeCondition === other.typeCondition) return true;
    const { interfaces = [] } = this.#types.get(one.typeCondition) ?? {};
    return interfaces.some(({ name }) => name.value === other.typeCondition);
  }
}
