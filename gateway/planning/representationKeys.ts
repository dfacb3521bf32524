import type { DocumentNode, SelectionSetNode } from 'graphql';
import { fieldsOf, fieldsOfRequires, isWithin } from './fieldSets.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, QueryPlan, RequiresInlineFragment, RequiresSelection } from './queryPlan.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  parseFieldSet,
  subgraphNamesOf,
} from './supergraphDocument.ts';

/** Sees to it that every representation has a key. With `@interfaceObject` the planner may ask for the key of one
 *  type and for an input of all of them (`... on Film { id } ... on Media { title }`): an object of another type would
 *  go out with the input alone, and come back as an error. The input moves to the types that have a key. */
export class RepresentationKeys {
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  /** By `subgraph Type`. */
  readonly #keys = new Map<string, SelectionSetNode[]>();

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
      }
    }
  }

  complete(plan: QueryPlan): QueryPlan {
    return mapFetches(plan, (fetch) => {
      const requires = fetch.requires && this.#complete(fetch, fetch.requires);
      return requires === undefined ? fetch : { ...fetch, requires };
    });
  }

  /** `undefined` where nothing is to be changed. */
  #complete(fetch: FetchNode, requires: readonly RequiresSelection[]): RequiresSelection[] | undefined {
    const fragments = requires.filter((selection) => selection.kind === 'InlineFragment');
    const keyed = fragments.filter((fragment) => this.#hasKey(fetch.serviceName, fragment));
    const lacking = fragments.filter(
      (fragment) => !keyed.includes(fragment) && !keyed.some((other) => this.#isWithin(fragment, other)),
    );
    if (keyed.length === 0 || lacking.length === 0) return undefined;
    return requires.flatMap((selection): RequiresSelection[] => {
      if (selection.kind !== 'InlineFragment' || lacking.includes(selection)) {
        return selection.kind === 'InlineFragment' ? [] : [selection];
      }
      if (!keyed.includes(selection)) return [selection];
      const added = lacking
        .filter((other) => this.#isWithin(selection, other))
        .flatMap(({ selections }) => selections)
        .filter((field) => !(field.kind === 'Field' && field.name === '__typename'));
      return [{ ...selection, selections: [...selection.selections, ...added] }];
    });
  }

  #hasKey(subgraph: string, { typeCondition, selections }: RequiresInlineFragment): boolean {
    if (typeCondition === undefined) return true;
    const fields = fieldsOfRequires(selections);
    const { interfaces = [] } = this.#types.get(typeCondition) ?? {};
    return [typeCondition, ...interfaces.map(({ name }) => name.value)].some((typeName) =>
      (this.#keys.get(`${subgraph} ${typeName}`) ?? []).some((key) => isWithin(fieldsOf([key]), fields)),
    );
  }

  /** Whether every object of the one fragment's type is of the other's. */
  #isWithin(one: RequiresInlineFragment, other: RequiresInlineFragment): boolean {
    if (one.typeCondition === undefined || other.typeCondition === undefined) return true;
    if (one.typeCondition === other.typeCondition) return true;
    const { interfaces = [] } = this.#types.get(one.typeCondition) ?? {};
    return interfaces.some(({ name }) => name.value === other.typeCondition);
  }
}
