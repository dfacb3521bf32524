import { createRandom, type Random } from '../../../../subgraphs/shared/random.ts';
import type { Graph, GraphObject } from './graph.ts';
import { stableJson } from './graphModel.ts';
import { hash } from './hash.ts';

/** Generates a graph, the same for the same seed. `hasRichTypes`: with enums, custom scalars, input objects,
 *  values of several subgraphs, lists of lists, nested keys and inputs, and nulls where the type forbids them. */
export function generateGraph(seed: number, { hasRichTypes = false } = {}): Graph {
  return new GraphGenerator(seed).generate(hasRichTypes);
}

/** The definition of one type in one subgraph. */
interface TypeDefinition {
  readonly head: string;
  readonly directives: Set<string>;
  /** By name, with type and directives. */
  readonly fields: Map<string, string>;
}

interface Scalar {
  readonly name: string;
  readonly type: string;
  /** The subgraphs that resolve it. */
  readonly owners: string[];
}

const scalarTypes: Readonly<Record<string, string>> = {
  f0: 'String',
  f1: 'Int',
  f2: 'String!',
  f3: '[String!]',
  f4: '(of: Int = 0): String',
  f5: 'Boolean',
};
const idsPerType = 3;

const colours = ['RED', 'GREEN', 'BLUE'];
const jsonValues: readonly unknown[] = [
  { a: 1, __typename: 'E0', id: 'x' },
  [1, { b: null }, [true]],
  'text',
  1.5,
  { b: { c: [] } },
];

/** `valueFor` gets a number that depends on the object and the arguments; without it, the value is their text. */
const richFields: Readonly<Record<string, { type: string; valueFor?: (seed: number) => unknown }>> = {
  x0: { type: ': Colour', valueFor: (seed) => colours[seed % 3] },
  x1: {
    type: '(of: Colour = RED): [Colour]!',
    valueFor: (seed) => [colours[seed % 3], null, colours[seed % 2]],
  },
  x2: { type: ': Json', valueFor: (seed) => jsonValues[seed % jsonValues.length] },
  x3: { type: '(in: In = { b: "d" }): String' },
  x4: { type: '(list: [[Int]] = [[1], null], at: Int! = 2): [[String]!]' },
  x5: { type: '(json: Json = { a: [1] }, colours: [Colour!]! = [BLUE]): String' },
  x6: { type: ': String!', valueFor: (seed) => (seed % 4 === 0 ? null : `x6 ${seed}`) },
  x7: {
    type: ': [[Int!]!]',
    valueFor: (seed) => (seed % 3 === 0 ? [[1], [null]] : seed % 3 === 1 ? [[2], null] : [[3], []]),
  },
};

const inputFields: Readonly<Record<string, string>> = {
  a: ': Int = 3',
  b: ': String',
  colour: ': Colour = GREEN',
  deep: ': In',
  many: ': [[Int!]] = [[1]]',
  must: ': String! = "must"',
  json: ': Json',
};

/** Keys of `K`, with their fields. */
const keyFields: Readonly<Record<string, readonly string[]>> = {
  id: ['id: ID!'],
  'code at { x y }': ['code: ID!', 'at: At!'],
  tags: ['tags: [String!]!'],
  'marks { mark at { x } }': ['marks: [Mark!]!'],
  'at { y } tags': ['at: At!', 'tags: [String!]!'],
  'near { x } marks { mark }': ['near: At', 'marks: [Mark]!'],
};

/** Fields of `K` that fields of other subgraphs require, with selections of their subfields. */
const nestedInputs: Readonly<
  Record<string, { readonly type: string; readonly selections: readonly string[] }>
> = {
  box: {
    type: 'Box',
    selections: ['label', 'label inner { label size(of: 2) }', '__typename inner { inner { size } }'],
  },
  grid: { type: '[[Box]]', selections: ['label', 'size(of: 3)', 'inner { label }'] },
  choice: {
    type: '[Choice]',
    selections: ['... on Box { size }', '__typename ... on Tin { lid } ... on Box { label inner { label } }'],
  },
  part: {
    type: 'Part',
    selections: [
      'label',
      'label ... on Tin { lid(of: 1) }',
      '... on Box { inner { label } } ... on Tin { box { label } }',
    ],
  },
};

class GraphGenerator {
  readonly #seed: number;
  readonly #random: Random;
  readonly #subgraphs: readonly string[];
  readonly #entities: readonly string[];
  /** By subgraph and type. */
  readonly #types = new Map<string, Map<string, TypeDefinition>>();
  readonly #scalars = new Map<string, Scalar[]>();
  /** `subgraph type field` of a `@provides`. There, the planner may fetch a field that requires it without a representation. */
  readonly #provided = new Set<string>();
  readonly #objects: Record<string, readonly GraphObject[]> = {};
  readonly #resolvers: Record<string, NonNullable<Graph['resolvers']>[string]> = {};
  /** The entities of the interface `I`. */
  readonly #members: readonly string[];
  /** The subgraph that knows `I` as an object. */
  readonly #objectSubgraph: string | undefined;

  constructor(seed: number) {
    const random = createRandom(seed);
    this.#seed = seed;
    this.#random = random;
    this.#subgraphs = ['a', 'b', 'c'].slice(0, random.integer(2, 3));
    this.#entities = ['E0', 'E1', 'E2', 'E3'].slice(0, random.integer(3, 4));
    this.#members = random.sample(this.#entities, random.integer(2, 3));
    this.#objectSubgraph = random.chance(0.5) ? random.pick(this.#subgraphs.slice(1)) : undefined;
    for (const name of this.#subgraphs) this.#types.set(name, new Map());
    for (const name of [...this.#entities, 'V']) this.#createObjects(name);
  }

  generate(hasRichTypes: boolean): Graph {
    this.#placeEntities();
    this.#placeAbstractTypes();
    if (this.#random.chance(0.5)) this.#addContext();
    for (const name of this.#entities) this.#addScalars(name);
    for (const name of this.#entities) this.#addRelations(name);
    for (const name of this.#entities) this.#addRequirements(name);
    for (const name of this.#subgraphs) this.#addRoots(name);
    if (hasRichTypes) this.#addRichTypes();
    return {
      name: `generated ${this.#seed}`,
      // A subgraph without an entity has no type, and no schema may be empty.
      subgraphs: [...this.#types]
        .filter(([, types]) => types.size > 0)
        .map(([name, types]) => ({ name, sdl: [...types.values()].map(printType).join('\n') })),
      entities: this.#objects,
      resolvers: this.#resolvers,
      argumentValues: { json: jsonValues },
    };
  }

  #createObjects(name: string): void {
    this.#objects[name] = Array.from({ length: idsPerType }, (_, index) => ({
      __typename: name,
      id: `${name}-${index}`,
      code: `code-${name}-${index}`,
    }));
  }

  #type(subgraph: string, name: string, kind = 'type'): TypeDefinition {
    const types = this.#types.get(subgraph) as Map<string, TypeDefinition>;
    let type = types.get(name);
    if (type === undefined) {
      type = { head: `${kind} ${name}`, directives: new Set(), fields: new Map() };
      types.set(name, type);
    }
    return type;
  }

  #has(subgraph: string, name: string): boolean {
    return this.#types.get(subgraph)?.has(name) ?? false;
  }

  /** The subgraphs that have the type. */
  #subgraphsOf(name: string): string[] {
    return this.#subgraphs.filter((subgraph) => this.#has(subgraph, name));
  }

  #addEntity(subgraph: string, name: string, keys: readonly string[]): void {
    const type = this.#type(subgraph, name);
    for (const key of keys) {
      type.directives.add(`@key(fields: "${key}")`);
      for (const field of key.split(' ')) type.fields.set(field, ': ID!');
    }
  }

  #placeEntities(): void {
    const random = this.#random;
    for (const name of this.#entities) {
      this.#addEntity('a', name, ['id', 'code']);
      for (const subgraph of this.#subgraphs.slice(1)) {
        if (subgraph === this.#objectSubgraph && this.#members.includes(name)) continue;
        if (random.chance(0.65))
          this.#addEntity(subgraph, name, random.pick([['id'], ['code'], ['id', 'code'], ['id code']]));
      }
    }
  }

  #placeAbstractTypes(): void {
    const random = this.#random;
    this.#implement('a', 'I', this.#members, '@key(fields: "id")');
    for (const name of this.#members) this.#declare('a', name, 'common', ': String');
    this.#declare('a', 'I', 'common', ': String');
    for (const subgraph of this.#subgraphs.slice(1)) {
      const present = this.#members.filter((name) => this.#type(subgraph, name).fields.has('id'));
      for (const name of this.#members)
        if (this.#type(subgraph, name).fields.size === 0) this.#types.get(subgraph)?.delete(name);
      if (present.length > 0 && random.chance(0.5)) this.#implement(subgraph, 'I', present, '');
    }
    if (random.chance(0.6)) this.#implement('a', 'J', random.sample(this.#entities, 2), '');
    const union = random.sample(this.#entities, 2);
    this.#type('a', 'V').fields.set('text', ': String');
    this.#type('a', `U = ${[...union, 'V'].join(' | ')}`, 'union');
    if (this.#objectSubgraph === undefined) return;
    const object = this.#type(this.#objectSubgraph, 'I');
    object.directives.add('@key(fields: "id") @interfaceObject');
    object.fields.set('id', ': ID!').set('added', ': String').set('score', '(of: Int = 1): Int!');
    if (random.chance(0.5)) {
      object.fields.set('common', ': String @external');
      object.fields.set('computed', ': String @requires(fields: "common")');
    }
  }

  #implement(subgraph: string, name: string, members: readonly string[], directives: string): void {
    const type = this.#type(subgraph, name, 'interface');
    type.fields.set('id', ': ID!');
    if (directives !== '') type.directives.add(directives);
    for (const member of members) this.#type(subgraph, member).directives.add(`implements ${name}`);
  }

  #declare(subgraph: string, name: string, field: string, text: string): void {
    this.#type(subgraph, name).fields.set(field, text);
  }

  /** `L` is only below members of `I`, which set a context. */
  #addContext(): void {
    const random = this.#random;
    const subgraph = random.pick(this.#subgraphs.filter((name) => name !== this.#objectSubgraph));
    for (const owner of new Set(['a', subgraph])) this.#addEntity(owner, 'L', ['id']);
    this.#createObjects('L');
    for (const name of [...this.#members, 'I']) this.#declare('a', name, 'leaves', ': [L!]');
    this.#resolvers['I.leaves'] = (self: GraphObject) => this.#choose('L', `${self.id} leaves`, true);
    for (const name of this.#members) {
      if (subgraph !== 'a') this.#addEntity(subgraph, name, ['id']);
      this.#type(subgraph, name).directives.add('@context(name: "ctx")');
      this.#declare(subgraph, name, 'tone', ': String! @shareable');
      if (random.chance(0.5)) this.#declare('a', name, 'tone', ': String! @shareable');
    }
    this.#declare('a', 'L', 'size', ': Int');
    this.#declare(subgraph, 'L', 'text', '(tone: String @fromContext(field: "$ctx { tone }")): String');
    this.#declare(
      subgraph,
      'L',
      'note',
      '(loud: Boolean, tone: String @fromContext(field: "$ctx { tone }")): String',
    );
  }

  #addScalars(name: string): void {
    const random = this.#random;
    const scalars: Scalar[] = [];
    this.#scalars.set(name, scalars);
    const present = this.#subgraphsOf(name);
    for (const [field, type] of Object.entries(scalarTypes)) {
      if (random.chance(0.35)) continue;
      const text = type.startsWith('(') ? type : `: ${type}`;
      const owners = random.sample(present, random.chance(0.3) ? 2 : 1);
      const [first, second] = owners as [string, string | undefined];
      const hidden = random.chance(0.1) && second === undefined ? ' @inaccessible' : '';
      if (second === undefined) this.#declare(first, name, field, `${text}${hidden}`);
      else if (random.chance(0.4)) {
        this.#declare(first, name, field, text);
        const label = random.chance(0.3) ? ', label: "percent(100)"' : '';
        this.#declare(second, name, field, `${text} @override(from: "${first}"${label})`);
        owners.shift();
      } else for (const owner of owners) this.#declare(owner, name, field, `${text} @shareable`);
      scalars.push({ name: field, type: text, owners });
    }
  }

  #addRelations(name: string): void {
    const random = this.#random;
    for (const subgraph of this.#subgraphsOf(name)) {
      const targets = this.#targetsIn(subgraph);
      for (const target of random.sample(targets, random.integer(0, 2))) {
        const isList = random.chance(0.5);
        const provided = random.chance(0.4) ? this.#provide(subgraph, target) : '';
        this.#relate(subgraph, name, `${subgraph}${target}`, target, isList, provided);
      }
    }
    if (this.#objectSubgraph === undefined || name !== this.#entities[0]) return;
    const subgraph = this.#objectSubgraph;
    for (const target of random.sample(this.#targetsIn(subgraph), 1))
      this.#relate(subgraph, 'I', `${subgraph}${target}`, target, random.chance(0.5), '');
  }

  #targetsIn(subgraph: string): string[] {
    return [...(this.#types.get(subgraph)?.keys() ?? [])]
      .map((name) => name.split(' ')[0] as string)
      .filter((name) => !['V', 'L', 'Query', 'Colour', 'Json', 'In'].includes(name) && !name.startsWith('W'));
  }

  #relate(
    subgraph: string,
    name: string,
    field: string,
    target: string,
    isList: boolean,
    directives: string,
  ): void {
    this.#declare(subgraph, name, field, `: ${isList ? `[${target}]` : target}${directives}`);
    this.#resolvers[`${name}.${field}`] = (self: GraphObject) =>
      this.#choose(target, `${self.id} ${field}`, isList, subgraph);
  }

  /** A `@provides` of a scalar of the target that another subgraph resolves. */
  #provide(subgraph: string, target: string): string {
    const scalar = this.#random.pick([
      undefined,
      ...(this.#scalars.get(target) ?? []).filter(
        ({ owners, name }) =>
          name !== 'f4' && !owners.includes(subgraph) && !this.#type(subgraph, target).fields.has(name),
      ),
    ]);
    if (scalar === undefined) return '';
    this.#declare(subgraph, target, scalar.name, `${scalar.type} @external`);
    this.#provided.add(`${subgraph} ${target} ${scalar.name}`);
    for (const owner of scalar.owners) {
      const text = this.#type(owner, target).fields.get(scalar.name) as string;
      if (!text.includes('@shareable')) this.#declare(owner, target, scalar.name, `${text} @shareable`);
    }
    return ` @provides(fields: "${scalar.name}")`;
  }

  #addRequirements(name: string): void {
    const random = this.#random;
    for (const subgraph of this.#subgraphsOf(name)) {
      const type = this.#type(subgraph, name);
      for (let index = 0; index < 2; index++) {
        const inputs = (this.#scalars.get(name) ?? []).filter(
          ({ owners, name: field }) =>
            !owners.includes(subgraph) &&
            !this.#provided.has(`${subgraph} ${name} ${field}`) &&
            (type.fields.get(field)?.includes('@external') ?? true),
        );
        if (inputs.length === 0 || random.chance(0.4)) continue;
        const chosen = random.sample(inputs, random.integer(1, 2));
        for (const input of chosen) {
          this.#declare(subgraph, name, input.name, `${input.type} @external`);
          for (const owner of input.owners) this.#removeOverrideLabel(owner, name, input.name);
        }
        const fields = chosen.map(({ name: field }) =>
          field === 'f4' && random.chance(0.6) ? `f4(of: ${random.integer(0, 2)})` : field,
        );
        const computed = `${subgraph}r${index}`;
        this.#declare(subgraph, name, computed, `: String @requires(fields: "${fields.join(' ')}")`);
        // A field of another subgraph may require it.
        this.#scalars.get(name)?.push({ name: computed, type: ': String', owners: [subgraph] });
      }
    }
  }

  /** The composer refuses a `@requires` of a field with an override label: it looks for a subgraph that resolves the field
   *  while the label is neither active nor inactive, and finds none. */
  #removeOverrideLabel(subgraph: string, name: string, field: string): void {
    const fields = this.#type(subgraph, name).fields;
    fields.set(field, (fields.get(field) as string).replace(/, label: "[^"]+"/, ''));
  }

  #addRoots(subgraph: string): void {
    const random = this.#random;
    const targets = this.#targetsIn(subgraph);
    for (const target of random.sample(targets, random.integer(1, 3)))
      this.#relate(subgraph, 'Query', `${subgraph}${target}`, target, random.chance(0.6), '');
    if (subgraph === 'a' || subgraph === this.#objectSubgraph)
      this.#relate(subgraph, 'Query', `${subgraph}Tops`, 'I', true, '');
  }

  #addRichTypes(): void {
    const random = this.#random;
    for (const name of this.#entities) {
      const present = this.#subgraphsOf(name);
      for (const [field, { type, valueFor }] of Object.entries(richFields)) {
        if (random.chance(0.5)) continue;
        const owner = random.pick(present);
        this.#defineRichTypes(owner);
        this.#declare(owner, name, field, type);
        if (valueFor !== undefined)
          this.#resolvers[`${name}.${field}`] = (self: GraphObject, args: object) =>
            valueFor(hash(`${self.id} ${field} ${stableJson(args)}`));
      }
      if (random.chance(0.6))
        this.#addValues(name, random.sample(present, random.integer(1, present.length)));
      for (const subgraph of present) {
        for (const target of random.sample(this.#targetsIn(subgraph), random.integer(0, 2)))
          this.#relateStrictly(subgraph, name, `${subgraph}${target}Strict`, target);
      }
    }
    this.#addStrictInterfaceFields();
    for (const subgraph of this.#subgraphs)
      for (const target of random.sample(this.#targetsIn(subgraph), 1))
        this.#relateStrictly(subgraph, 'Query', `${subgraph}${target}Strict`, target);
    if (random.chance(0.6)) this.#addKeyedEntity();
  }

  /** `K`, which each subgraph knows by other keys, and nested inputs of its fields. */
  #addKeyedEntity(): void {
    const random = this.#random;
    const forms = random.sample(Object.keys(keyFields), this.#subgraphs.length + 1);
    const labels = Array.from({ length: idsPerType }, (_, index) => `K-${index}`);
    const box = (label: string, depth = 0): GraphObject => ({
      __typename: 'Box',
      label,
      inner: depth < 2 && hash(label) % 4 > 0 ? box(`inner ${label}`, depth + 1) : null,
    });
    const tin = (label: string): GraphObject => ({ __typename: 'Tin', label, box: box(`box of ${label}`) });
    this.#objects.K = labels.map((label, x) => ({
      __typename: 'K',
      id: label,
      code: `code-${label}`,
      at: { x: x % 2, y: x },
      near: x === 0 ? null : { x },
      tags: [`tag ${x}`, 'tag'].slice(0, x + 1),
      marks: [0, 1].slice(0, x).map((index) => ({ mark: `${x} ${index}`, at: { x: index, y: x } })),
      box: x === 1 ? null : box(`box of ${label}`),
      grid: [[box(`grid of ${label}`), null], [], null].slice(0, x + 2),
      choice: [tin(`choice of ${label}`), null, box(`choice of ${label}`)],
      part: x === 2 ? tin(`part of ${label}`) : box(`part of ${label}`),
    }));
    this.#subgraphs.forEach((subgraph, index) => {
      const type = this.#type(subgraph, 'K');
      for (const form of new Set([forms[index], forms[index + 1]] as string[])) {
        type.directives.add(`@key(fields: "${form}")`);
        for (const text of keyFields[form] as readonly string[]) {
          const [name = '', fieldType = ''] = text.split(/(?=: )/);
          type.fields.set(name, fieldType);
        }
      }
      type.fields.set(`${subgraph}0`, ': String').set(`${subgraph}1`, '(of: Int = 0): String');
      const shared = (name: string): TypeDefinition['fields'] => {
        const value = this.#type(subgraph, name);
        value.directives.add('@shareable');
        return value.fields;
      };
      shared('At').set('x', ': Int!').set('y', ': Int!');
      shared('Mark').set('mark', ': String!').set('at', ': At!');
    });
    const owner = random.pick(this.#subgraphs);
    this.#addNestedInputs(owner, '');
    for (const [field, { type }] of Object.entries(nestedInputs))
      this.#declare(owner, 'K', field, `: ${type}`);
    for (const subgraph of this.#subgraphs) {
      if (subgraph === owner) continue;
      this.#addNestedInputs(subgraph, '@external');
      // The composer refuses external fields that nothing requires.
      this.#declare(subgraph, 'K', 'choice', ': [Choice] @external');
      this.#declare(
        subgraph,
        'K',
        `${subgraph}Choice`,
        ': String @requires(fields: "choice { ... on Box { label size inner { label } } ... on Tin { label lid box { size } } }")',
      );
      for (const field of random.sample(Object.keys(nestedInputs), 2)) {
        const { type, selections } = nestedInputs[field] as (typeof nestedInputs)[string];
        this.#declare(subgraph, 'K', field, `: ${type} @external`);
        let required = `${field} { ${random.pick(selections)} }`;
        const other = random.pick(this.#subgraphs);
        if (other !== subgraph && random.chance(0.5)) {
          const [name, fieldType] = random.pick([
            [`${other}0`, ': String'],
            [`${other}1`, '(of: Int = 0): String'],
          ] as const);
          this.#declare(subgraph, 'K', name, `${fieldType} @external`);
          required += ` ${name}`;
        }
        this.#declare(subgraph, 'K', `${subgraph}${field}`, `: String @requires(fields: "${required}")`);
      }
    }
    for (const subgraph of random.sample(this.#subgraphs, 2)) {
      this.#relate(subgraph, 'Query', `${subgraph}K`, 'K', true, '');
      for (const name of random.sample(this.#subgraphsOf('K'), 1))
        this.#relate(name, 'K', `${name}K`, 'K', random.chance(0.5), '');
    }
  }

  #addNestedInputs(subgraph: string, external: string): void {
    const types: Readonly<Record<string, readonly string[]>> = {
      Box: ['label: String', 'size(of: Int = 1): Int', 'inner: Box'],
      Tin: ['label: String', 'lid(of: Int): String', 'box: Box'],
    };
    this.#type(subgraph, 'Part', 'interface').fields.set('label', ': String');
    this.#type(subgraph, 'Choice = Box | Tin', 'union');
    for (const [name, fields] of Object.entries(types)) {
      const { directives, fields: own } = this.#type(subgraph, name);
      directives.add('implements Part');
      if (external !== '') directives.add(external);
      for (const field of fields) own.set(/^\w+/.exec(field)?.[0] as string, field.replace(/^\w+/, ''));
    }
  }

  /** Non-null fields of `I` in the subgraph that knows it as an object, one of them computed from another input than
   *  `computed`. */
  #addStrictInterfaceFields(): void {
    const subgraph = this.#objectSubgraph;
    if (subgraph === undefined) return;
    for (const name of [...this.#members, 'I']) this.#declare('a', name, 'extra', ': String!');
    this.#declare(subgraph, 'I', 'extra', ': String! @external');
    this.#declare(subgraph, 'I', 'strict', ': String! @requires(fields: "extra")');
    this.#declare(subgraph, 'I', 'certain', ': String!');
    this.#resolvers['I.certain'] = ({ id }: GraphObject) =>
      hash(`${id} certain`) % 3 === 0 ? null : `certain ${id}`;
  }

  #defineRichTypes(subgraph: string): void {
    this.#type(subgraph, 'Colour', 'enum').fields.set('RED GREEN BLUE', '');
    this.#type(subgraph, 'Json', 'scalar');
    const input = this.#type(subgraph, 'In', 'input').fields;
    for (const [field, type] of Object.entries(inputFields)) input.set(field, type);
  }

  /** Values without a key. Each of these subgraphs resolves other fields of them. */
  #addValues(name: string, subgraphs: readonly string[]): void {
    const random = this.#random;
    const valueType = `W${name}`;
    const type = random.pick([': W', ': W!', ': [W]', ': [W!]!', ': [[W]!]']).replace('W', valueType);
    for (const subgraph of subgraphs) {
      this.#declare(subgraph, name, 'worth', `${type} @shareable`);
      const { fields } = this.#type(subgraph, valueType);
      fields.set('name', ': String @shareable').set('deep', `: ${valueType} @shareable`);
      fields.set(`${subgraph}Name`, random.pick([': String', ': Int!']));
    }
    const value = (label: string): GraphObject => ({
      __typename: valueType,
      label,
      deep: hash(label) % 3 === 0 ? { __typename: valueType, label: `deep ${label}`, deep: null } : null,
    });
    this.#resolvers[`${name}.worth`] = ({ id }: GraphObject) => {
      const label = `worth of ${id}`;
      const isList = type.includes('[');
      if (!isList) return !type.endsWith('!') && hash(label) % 4 === 0 ? null : value(label);
      const items = [0, 1].map((index) => value(`${label} ${index}`));
      return type.includes('[[') ? [items, [], [null]] : items;
    };
  }

  /** A relation of any nullability, with nulls at any position. */
  #relateStrictly(subgraph: string, name: string, field: string, target: string): void {
    const random = this.#random;
    const isNested = random.chance(0.4);
    const mark = (): string => (random.chance(0.4) ? '!' : '');
    const list = `[${target}${mark()}]${mark()}`;
    const type = random.chance(0.3) ? `${target}${mark()}` : isNested ? `[${list}]${mark()}` : list;
    const isList = type.startsWith('[');
    this.#declare(subgraph, name, field, `(of: In = { b: "of" }, at: Int! = 2): ${type}`);
    this.#defineRichTypes(subgraph);
    this.#resolvers[`${name}.${field}`] = (self: GraphObject, args: object) => {
      const text = `${self.id} ${field} ${stableJson(args)}`;
      const choose = (label: string): unknown => {
        if (hash(`${label} null`) % 10 === 0) return null;
        const found = this.#choose(target, label, isList, subgraph);
        return isList && Array.isArray(found) && hash(`${label} inner`) % 8 === 0 ? [...found, null] : found;
      };
      return type.startsWith('[[') ? [0, 1].map((index) => choose(`${text} ${index}`)) : choose(text);
    };
  }

  /** Objects of the target that the subgraph knows, the same for the same text. */
  #choose(target: string, text: string, isList: boolean, subgraph = 'a'): unknown {
    const types =
      target === 'I'
        ? this.#members.filter(
            (name) =>
              subgraph === this.#objectSubgraph || this.#type(subgraph, name).directives.has('implements I'),
          )
        : [target, ...this.#membersOf(target)].filter((name) => this.#objects[name] !== undefined);
    const all = types.flatMap((name) => this.#objects[name] ?? []);
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
