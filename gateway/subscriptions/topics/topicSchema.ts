import { type DocumentNode, parse, type SelectionSetNode } from 'graphql';
import {
  argumentOf,
  compositesOf,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
} from '../../planning/supergraphDocument.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';

/** What has to be known of a supergraph to complete events. */
export class TopicSchema {
  /** By `subgraph Type`; only those by which the subgraph can be asked. */
  readonly #keys = new Map<string, SelectionSetNode[]>();
  /** By `Type.field`. */
  readonly #fieldTypes = new Map<string, string>();

  constructor(document: DocumentNode) {
    const subgraphs = subgraphNamesOf(document);
    for (const [typeName, { directives = [], fields = [] }] of compositesOf(document)) {
      for (const field of fields) this.#fieldTypes.set(`${typeName}.${field.name.value}`, namedTypeOf(field));
      for (const directive of directives) {
        if (directive.name.value !== 'join__type') continue;
        const key = parseFieldSet(argumentOf(directive, 'key'));
        if (key === undefined || argumentOf(directive, 'resolvable') === 'false') continue;
        const place = `${subgraphs.get(argumentOf(directive, 'graph') ?? '')} ${typeName}`;
        this.#keys.set(place, [...(this.#keys.get(place) ?? []), key]);
      }
    }
  }

  /** Reads the supergraph before its first event. `document`: its SDL. */
  static attach(supergraph: Supergraph, document: DocumentNode): void {
    bySupergraph.set(supergraph, new TopicSchema(document));
  }

  /** Made once for each supergraph. */
  static of(supergraph: Supergraph): TopicSchema {
    let graph = bySupergraph.get(supergraph);
    if (graph === undefined) {
      graph = new TopicSchema(parse(supergraph.sdl, { noLocation: true }));
      bySupergraph.set(supergraph, graph);
    }
    return graph;
  }

  /** Keys of the type by which a subgraph resolves its entities, in the order of the schema. */
  keysOf(subgraph: string, typeName: string): readonly SelectionSetNode[] {
    return this.#keys.get(`${subgraph} ${typeName}`) ?? [];
  }

  /** Name of the field's type without lists and non-nulls. */
  fieldTypeOf(typeName: string, fieldName: string): string | undefined {
    return this.#fieldTypes.get(`${typeName}.${fieldName}`);
  }
}

const bySupergraph = new WeakMap<Supergraph, TopicSchema>();
