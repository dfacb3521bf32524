import type { EntityInputs } from './entityInputs.ts';
import { fieldTreeOf, fieldTreeOfRequires, isFieldSubset } from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, QueryPlan, RequiresInlineFragment, RequiresSelection } from './queryPlan.ts';

/** Corrects the `requires` of entity fetches where `@interfaceObject` makes the planner require the key of one type and an
 *  input of all types (`... on Film { id } ... on Media { title }`). An object of another type would be sent with the
 *  input but without a key, and the subgraph would answer with an error. The input moves to the types that have a key. */
export class RepresentationCompleter {
  readonly #inputs: EntityInputs;

  constructor(inputs: EntityInputs) {
    this.#inputs = inputs;
  }

  complete(plan: QueryPlan): QueryPlan {
    return mapFetches(plan, (fetch) => {
      if (fetch.requires === undefined || fetch.requires.length < 2) return fetch;
      const requires = this.#completeRequires(fetch, fetch.requires);
      return requires === undefined ? fetch : { ...fetch, requires };
    });
  }

  /** `undefined` when nothing has to change. */
  #completeRequires(
    fetch: FetchNode,
    requires: readonly RequiresSelection[],
  ): RequiresSelection[] | undefined {
    const fragments = requires.filter((selection) => selection.kind === 'InlineFragment');
    const withKey = fragments.filter((fragment) => this.#hasKey(fetch.serviceName, fragment));
    const withoutKey = fragments.filter(
      (fragment) => !withKey.includes(fragment) && !withKey.some((other) => this.#isSubtype(fragment, other)),
    );
    if (withKey.length === 0 || withoutKey.length === 0) return undefined;
    return requires.flatMap((selection): RequiresSelection[] => {
      if (selection.kind !== 'InlineFragment' || withoutKey.includes(selection)) {
        return selection.kind === 'InlineFragment' ? [] : [selection];
      }
      if (!withKey.includes(selection)) return [selection];
      const added = withoutKey
        .filter((other) => this.#isSubtype(selection, other))
        .flatMap(({ selections }) => selections)
        .filter((field) => !(field.kind === 'Field' && field.name === '__typename'));
      return [{ ...selection, selections: [...selection.selections, ...added] }];
    });
  }

  #hasKey(subgraph: string, { typeCondition, selections }: RequiresInlineFragment): boolean {
    if (typeCondition === undefined) return true;
    const fields = fieldTreeOfRequires(selections);
    const { interfaces = [] } = this.#inputs.types.get(typeCondition) ?? {};
    return [typeCondition, ...interfaces.map(({ name }) => name.value)].some((typeName) =>
      this.#inputs.keysOf(subgraph, typeName).some((key) => isFieldSubset(fieldTreeOf([key]), fields)),
    );
  }

  /** Whether every object that matches `sub` also matches `base`. */
  #isSubtype(sub: RequiresInlineFragment, base: RequiresInlineFragment): boolean {
    if (sub.typeCondition === undefined || base.typeCondition === undefined) return true;
    if (sub.typeCondition === base.typeCondition) return true;
    const { interfaces = [] } = this.#inputs.types.get(sub.typeCondition) ?? {};
    return interfaces.some(({ name }) => name.value === base.typeCondition);
  }
}
