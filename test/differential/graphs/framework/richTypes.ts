import type { GraphObject } from './graph.ts';
import type { GraphDraft } from './graphDraft.ts';
import { stableJson } from './graphModel.ts';
import { hash } from './hash.ts';
import { addKeyedEntity } from './keyedEntity.ts';

const colours = ['RED', 'GREEN', 'BLUE'];
export const jsonValues: readonly unknown[] = [
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

/** Adds what the plain graph lacks: see `generateGraph`. */
export function addRichTypes(draft: GraphDraft): void {
  const { random } = draft;
  for (const name of draft.entities) {
    const present = draft.subgraphsOf(name);
    for (const [field, { type, valueFor }] of Object.entries(richFields)) {
      if (random.chance(0.5)) continue;
      const owner = random.pick(present);
      defineRichTypes(draft, owner);
      draft.declare(owner, name, field, type);
      if (valueFor !== undefined)
        draft.resolvers[`${name}.${field}`] = (self: GraphObject, args: object) =>
          valueFor(hash(`${self.id} ${field} ${stableJson(args)}`));
    }
    if (random.chance(0.6)) addValues(draft, name, random.sample(present, random.integer(1, present.length)));
    for (const subgraph of present) {
      for (const target of random.sample(draft.targetsIn(subgraph), random.integer(0, 2)))
        relateStrictly(draft, subgraph, name, `${subgraph}${target}Strict`, target);
    }
  }
  addStrictInterfaceFields(draft);
  for (const subgraph of draft.subgraphs)
    for (const target of random.sample(draft.targetsIn(subgraph), 1))
      relateStrictly(draft, subgraph, 'Query', `${subgraph}${target}Strict`, target);
  if (random.chance(0.6)) addKeyedEntity(draft);
}

/** Non-null fields of `I` in the subgraph that knows it as an object, one of them computed from another input than
 *  `computed`. */
function addStrictInterfaceFields(draft: GraphDraft): void {
  const subgraph = draft.objectSubgraph;
  if (subgraph === undefined) return;
  for (const name of [...draft.members, 'I']) draft.declare('a', name, 'extra', ': String!');
  draft.declare(subgraph, 'I', 'extra', ': String! @external');
  draft.declare(subgraph, 'I', 'strict', ': String! @requires(fields: "extra")');
  draft.declare(subgraph, 'I', 'certain', ': String!');
  draft.resolvers['I.certain'] = ({ id }: GraphObject) =>
    hash(`${id} certain`) % 3 === 0 ? null : `certain ${id}`;
}

function defineRichTypes(draft: GraphDraft, subgraph: string): void {
  draft.type(subgraph, 'Colour', 'enum').fields.set('RED GREEN BLUE', '');
  draft.type(subgraph, 'Json', 'scalar');
  const input = draft.type(subgraph, 'In', 'input').fields;
  for (const [field, type] of Object.entries(inputFields)) input.set(field, type);
}

/** Values without a key. Each of these subgraphs resolves other fields of them. */
function addValues(draft: GraphDraft, name: string, subgraphs: readonly string[]): void {
  const { random } = draft;
  const valueType = `W${name}`;
  const type = random.pick([': W', ': W!', ': [W]', ': [W!]!', ': [[W]!]']).replace('W', valueType);
  for (const subgraph of subgraphs) {
    draft.declare(subgraph, name, 'worth', `${type} @shareable`);
    const { fields } = draft.type(subgraph, valueType);
    fields.set('name', ': String @shareable').set('deep', `: ${valueType} @shareable`);
    fields.set(`${subgraph}Name`, random.pick([': String', ': Int!']));
  }
  const value = (label: string): GraphObject => ({
    __typename: valueType,
    label,
    deep: hash(label) % 3 === 0 ? { __typename: valueType, label: `deep ${label}`, deep: null } : null,
  });
  draft.resolvers[`${name}.worth`] = ({ id }: GraphObject) => {
    const label = `worth of ${id}`;
    const isList = type.includes('[');
    if (!isList) return !type.endsWith('!') && hash(label) % 4 === 0 ? null : value(label);
    const items = [0, 1].map((index) => value(`${label} ${index}`));
    return type.includes('[[') ? [items, [], [null]] : items;
  };
}

/** A relation of any nullability, with nulls at any position. */
function relateStrictly(
  draft: GraphDraft,
  subgraph: string,
  name: string,
  field: string,
  target: string,
): void {
  const { random } = draft;
  const isNested = random.chance(0.4);
  const mark = (): string => (random.chance(0.4) ? '!' : '');
  const list = `[${target}${mark()}]${mark()}`;
  const type = random.chance(0.3) ? `${target}${mark()}` : isNested ? `[${list}]${mark()}` : list;
  const isList = type.startsWith('[');
  draft.declare(subgraph, name, field, `(of: In = { b: "of" }, at: Int! = 2): ${type}`);
  defineRichTypes(draft, subgraph);
  draft.resolvers[`${name}.${field}`] = (self: GraphObject, args: object) => {
    const text = `${self.id} ${field} ${stableJson(args)}`;
    const choose = (label: string): unknown => {
      if (hash(`${label} null`) % 10 === 0) return null;
      const found = draft.choose(target, label, isList, subgraph);
      return isList && Array.isArray(found) && hash(`${label} inner`) % 8 === 0 ? [...found, null] : found;
    };
    return type.startsWith('[[') ? [0, 1].map((index) => choose(`${text} ${index}`)) : choose(text);
  };
}
