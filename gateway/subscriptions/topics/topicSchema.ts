import { type DocumentNode, parse, type SelectionSetNode } from 'graphql';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
} from '../../planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';

/** The entity keys and field types of a supergraph, for completing events. A type is read when it is looked up first. */
export class TopicSchema {
  readonly #subgraphs: ReadonlyMap<string, string>;
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  /** By `subgraph Type`; only keys that the subgraph can resolve. */
  readonly #keys = new Map<string, readonly SelectionSetNode[]>();
  /** By `Type.field`. */
  readonly #fieldTypes = new Map<string, string>();

  constructor(document: DocumentNode) {
    this.#subgraphs = subgraphNamesOf(document);
    this.#types = compositesOf(document);
  }

  /** Reads the supergraph in advance, so that its first event does not wait. `document`: the parsed SDL. */
  static attach(supergraph: Supergraph, document: DocumentNode): void {
    bySupergraph.set(supergraph, new TopicSchema(document));
  }

  /** Created once for each supergraph. */
  static of(supergraph: Supergraph): TopicSchema {
    return getOrInsertComputed(
      bySupergraph,
      supergraph,
      () => new TopicSchema(parse(supergraph.sdl, { noLocation: true })),
    );
  }

  /** The keys with which a subgraph can resolve entities of the type, in schema order. */
  keysOf(subgraph: string, typeName: string): readonly SelectionSetNode[] {
    const location = `${subgraph} ${typeName}`;
    return getOrInsertComputed(this.#keys, location, () =>
      (this.#types.get(typeName)?.directives ?? []).flatMap((directive) => {
        if (directive.name.value !== 'join__type') return [];
        if (this.#subgraphs.get(argumentOf(directive, 'graph') ?? '') !== subgraph) return [];
        if (argumentOf(directive, 'resolvable') === 'false') return [];
        return parseFieldSet(argumentOf(directive, 'key')) ?? [];
      }),
    );
  }

  /** The name of the field's type, without list and non-null wrappers. */
  fieldTypeOf(typeName: string, fieldName: string): string | undefined {
    const coordinate = `${typeName}.${fieldName}`;
    const known = this.#fieldTypes.get(coordinate);
    if (known !== undefined) return known;
    const field = this.#types.get(typeName)?.fields?.find(({ name }) => name.value === fieldName);
    // Names from events that the graph lacks are not stored: there may be any number of them.
    if (field !== undefined) this.#fieldTypes.set(coordinate, namedTypeOf(field));
    return field && namedTypeOf(field);
  }
}

const bySupergraph = new WeakMap<Supergraph, TopicSchema>();
