import { type DocumentNode, parse, type SelectionSetNode } from 'graphql';
import {
  argumentOf,
  compositesOf,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
} from '../../planning/supergraphDocument.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';

/** The entity keys and field types of a supergraph, for completing events. */
export class TopicSchema {
  /** By `subgraph Type`; only keys that the subgraph can resolve. */
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
        const location = `${subgraphs.get(argumentOf(directive, 'graph') ?? '')} ${typeName}`;
        this.#keys.set(location, [...(this.#keys.get(location) ?? []), key]);
      }
    }
  }

  /** Reads the supergraph in advance, so that its first event does not wait. `document`: the parsed SDL. */
  static attach(supergraph: Supergraph, document: DocumentNode): void {
    bySupergraph.set(supergraph, new TopicSchema(document));
  }

  /** Created once for each supergraph. */
  static of(supergraph: Supergraph): TopicSchema {
    let schema = bySupergraph.get(supergraph);
    if (schema === undefined) {
      schema = new TopicSchema(parse(supergraph.sdl, { noLocation: true }));
      bySupergraph.set(supergraph, schema);
    }
    return schema;
  }

  /** The keys with which a subgraph can resolve entities of the type, in schema order. */
  keysOf(subgraph: string, typeName: string): readonly SelectionSetNode[] {
    return this.#keys.get(`${subgraph} ${typeName}`) ?? [];
  }

  /** The name of the field's type, without list and non-null wrappers. */
  fieldTypeOf(typeName: string, fieldName: string): string | undefined {
    return this.#fieldTypes.get(`${typeName}.${fieldName}`);
  }
}

const bySupergraph = new WeakMap<Supergraph, TopicSchema>();
