import { createRandom, type Random } from '../../../../subgraphs/shared/random.ts';
import type { Graph, GraphObject } from './graph.ts';
import { hash } from './hash.ts';

/** The definition of one type in one subgraph. */
interface TypeDefinition {
  readonly head: string;
  readonly directives: Set<string>;
  /** By name, with type and directives. */
  readonly fields: Map<string, string>;
}

const idsPerType = 3;

/** Numbers for the objects of one type. */
export const objectNumbers: readonly number[] = Array.from({ length: idsPerType }, (_, index) => index);

/** A graph while it is generated: the types of each subgraph, the data, and the resolvers. */
export class GraphDraft {
  readonly random: Random;
  readonly subgraphs: readonly string[];
  /** Their types. */
  readonly entities: readonly string[];
  /** The entities of the interface `I`. */
  readonly members: readonly string[];
  /** The subgraph that knows `I` as an object. */
  readonly objectSubgraph: string | undefined;
  /** By type. */
  readonly objects: Record<string, readonly GraphObject[]> = {};
  /** By `Type.field`. */
  readonly resolvers: Record<string, NonNullable<Graph['resolvers']>[string]> = {};
  readonly #seed: number;
  /** By subgraph and type. */
  readonly #types = new Map<string, Map<string, TypeDefinition>>();

  constructor(seed: number) {
    const random = createRandom(seed);
    this.#seed = seed;
    this.random = random;
    this.subgraphs = ['a', 'b', 'c'].slice(0, random.integer(2, 3));
    this.entities = ['E0', 'E1', 'E2', 'E3'].slice(0, random.integer(3, 4));
    this.members = random.sample(this.entities, random.integer(2, 3));
    this.objectSubgraph = random.chance(0.5) ? random.pick(this.subgraphs.slice(1)) : undefined;
    for (const name of this.subgraphs) this.#types.set(name, new Map());
    for (const name of [...this.entities, 'V']) this.createObjects(name);
  }

  /** `argumentValues`: see `Graph`. */
  finish(argumentValues: NonNullable<Graph['argumentValues']>): Graph {
    return {
      name: `generated ${this.#seed}`,
      // A subgraph without an entity has no type, and no schema may be empty.
      subgraphs: [...this.#types]
        .filter(([, types]) => types.size > 0)
        .map(([name, types]) => ({ name, sdl: [...types.values()].map(printType).join('\n') })),
      entities: this.objects,
      resolvers: this.resolvers,
      argumentValues,
    };
  }

  createObjects(name: string): void {
    this.objects[name] = objectNumbers.map((index) => ({
      __typename: name,
      id: `${name}-${index}`,
      code: `code-${name}-${index}`,
    }));
  }

  /** The definition of a type in a subgraph, which gets one if it has none. */
  type(subgraph: string, name: string, kind = 'type'): TypeDefinition {
    const types = this.#types.get(subgraph) as Map<string, TypeDefinition>;
    let type = types.get(name);
    if (type === undefined) {
      type = { head: `${kind} ${name}`, directives: new Set(), fields: new Map() };
      types.set(name, type);
    }
    return type;
  }

  removeType(subgraph: string, name: string): void {
    this.#types.get(subgraph)?.delete(name);
  }

  has(subgraph: string, name: string): boolean {
    return this.#types.get(subgraph)?.has(name) ?? false;
  }

  /** The subgraphs that have the type. */
  subgraphsOf(name: string): string[] {
    return this.subgraphs.filter((subgraph) => this.has(subgraph, name));
  }

  /** Adds a field to a type. `text`: arguments, type and directives. */
  declare(subgraph: string, name: string, field: string, text: string): void {
    this.type(subgraph, name).fields.set(field, text);
  }

  /** The composite types that fields of a subgraph may have. */
  targetsIn(subgraph: string): string[] {
    return [...(this.#types.get(subgraph)?.keys() ?? [])]
      .map((name) => name.split(' ')[0] as string)
      .filter((name) => !['V', 'L', 'Query', 'Colour', 'Json', 'In'].includes(name) && !name.startsWith('W'));
  }

  /** Adds a field whose value is an object of another type, or a list of some. */
  relate(
    subgraph: string,
    name: string,
    field: string,
    target: string,
    isList: boolean,
    directives: string,
  ): void {
    this.declare(subgraph, name, field, `: ${isList ? `[${target}]` : target}${directives}`);
    this.resolvers[`${name}.${field}`] = (self: GraphObject) =>
      this.choose(target, `${self.id} ${field}`, isList, subgraph);
  }

  /** Objects of the target that the subgraph knows, the same for the same text. */
  choose(target: string, text: string, isList: boolean, subgraph = 'a'): unknown {
    const types =
      target === 'I'
        ? this.members.filter(
            (name) =>
              subgraph === this.objectSubgraph || this.type(subgraph, name).directives.has('implements I'),
          )
        : [target, ...this.#membersOf(target)].filter((name) => this.objects[name] !== undefined);
    const all = types.flatMap((name) => this.objects[name] ?? []);
    const choose = (index: number): unknown => all[hash(`${text} ${index}`) % all.length];
    if (!isList) return hash(text) % 8 === 0 ? null : choose(0);
    return Array.from({ length: hash(text) % 4 }, (_, index) => choose(index));
  }

  /** The members of `J` or `U`. */
  #membersOf(name: string): string[] {
    const types = this.#types.get('a') as Map<string, TypeDefinition>;
    const union = [...types.keys()].find((key) => key.startsWith(`${name} = `));
    if (union !== undefined) return union.slice(`${name} = `.length).split(' | ');
    return [...types].flatMap(([key, { directives }]) => (directives.has(`implements ${name}`) ? [key] : []));
  }
}

function printType({ head, directives, fields }: TypeDefinition): string {
  const implemented = [...directives].filter((text) => text.startsWith('implements '));
  const names = implemented.map((text) => text.slice('implements '.length));
  const others = [...directives].filter((text) => !text.startsWith('implements '));
  const body = [...fields].map(([name, text]) => `${name}${text}`).join(' ');
  return [
    head,
    ...(names.length === 0 ? [] : [`implements ${names.join(' & ')}`]),
    ...others,
    ...(fields.size === 0 ? [] : [`{ ${body} }`]),
  ].join(' ');
}
