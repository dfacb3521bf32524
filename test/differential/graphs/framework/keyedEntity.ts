import type { GraphObject } from './graph.ts';
import { type GraphDraft, objectNumbers } from './graphDraft.ts';
import { hash } from './hash.ts';

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

/** `K`, which each subgraph knows by other keys, and nested inputs of its fields. */
export function addKeyedEntity(draft: GraphDraft): void {
  const { random } = draft;
  const forms = random.sample(Object.keys(keyFields), draft.subgraphs.length + 1);
  draft.objects.K = createKeyedObjects();
  addKeys(draft, forms);
  addRequiredInputs(draft);
  for (const subgraph of random.sample(draft.subgraphs, 2)) {
    draft.relate(subgraph, 'Query', `${subgraph}K`, 'K', true, '');
    for (const name of random.sample(draft.subgraphsOf('K'), 1))
      draft.relate(name, 'K', `${name}K`, 'K', random.chance(0.5), '');
  }
}

function createKeyedObjects(): GraphObject[] {
  const box = (label: string, depth = 0): GraphObject => ({
    __typename: 'Box',
    label,
    inner: depth < 2 && hash(label) % 4 > 0 ? box(`inner ${label}`, depth + 1) : null,
  });
  const tin = (label: string): GraphObject => ({ __typename: 'Tin', label, box: box(`box of ${label}`) });
  return objectNumbers.map((x) => {
    const label = `K-${x}`;
    return {
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
    };
  });
}

/** Each subgraph knows two of the `forms`, the second one of which the next subgraph knows, too. */
function addKeys(draft: GraphDraft, forms: readonly string[]): void {
  draft.subgraphs.forEach((subgraph, index) => {
    const type = draft.type(subgraph, 'K');
    for (const form of new Set([forms[index], forms[index + 1]] as string[])) {
      type.directives.add(`@key(fields: "${form}")`);
      for (const text of keyFields[form] as readonly string[]) {
        const [name = '', fieldType = ''] = text.split(/(?=: )/);
        type.fields.set(name, fieldType);
      }
    }
    type.fields.set(`${subgraph}0`, ': String').set(`${subgraph}1`, '(of: Int = 0): String');
    const [at, mark] = [draft.type(subgraph, 'At'), draft.type(subgraph, 'Mark')];
    for (const { directives } of [at, mark]) directives.add('@shareable');
    at.fields.set('x', ': Int!').set('y', ': Int!');
    mark.fields.set('mark', ': String!').set('at', ': At!');
  });
}

/** One subgraph resolves the nested inputs. Fields of the others require them. */
function addRequiredInputs(draft: GraphDraft): void {
  const { random } = draft;
  const owner = random.pick(draft.subgraphs);
  addNestedInputs(draft, owner, '');
  for (const [field, { type }] of Object.entries(nestedInputs)) draft.declare(owner, 'K', field, `: ${type}`);
  for (const subgraph of draft.subgraphs) {
    if (subgraph === owner) continue;
    addNestedInputs(draft, subgraph, '@external');
    // The composer refuses external fields that nothing requires.
    draft.declare(subgraph, 'K', 'choice', ': [Choice] @external');
    draft.declare(
      subgraph,
      'K',
      `${subgraph}Choice`,
      ': String @requires(fields: "choice { ... on Box { label size inner { label } } ... on Tin { label lid box { size } } }")',
    );
    for (const field of random.sample(Object.keys(nestedInputs), 2)) {
      const { type, selections } = nestedInputs[field] as (typeof nestedInputs)[string];
      draft.declare(subgraph, 'K', field, `: ${type} @external`);
      let required = `${field} { ${random.pick(selections)} }`;
      const other = random.pick(draft.subgraphs);
      if (other !== subgraph && random.chance(0.5)) {
        const [name, fieldType] = random.pick([
          [`${other}0`, ': String'],
          [`${other}1`, '(of: Int = 0): String'],
        ] as const);
        draft.declare(subgraph, 'K', name, `${fieldType} @external`);
        required += ` ${name}`;
      }
      draft.declare(subgraph, 'K', `${subgraph}${field}`, `: String @requires(fields: "${required}")`);
    }
  }
}

function addNestedInputs(draft: GraphDraft, subgraph: string, external: string): void {
  const types: Readonly<Record<string, readonly string[]>> = {
    Box: ['label: String', 'size(of: Int = 1): Int', 'inner: Box'],
    Tin: ['label: String', 'lid(of: Int): String', 'box: Box'],
  };
  draft.type(subgraph, 'Part', 'interface').fields.set('label', ': String');
  draft.type(subgraph, 'Choice = Box | Tin', 'union');
  for (const [name, fields] of Object.entries(types)) {
    const { directives, fields: own } = draft.type(subgraph, name);
    directives.add('implements Part');
    if (external !== '') directives.add(external);
    for (const field of fields) own.set(/^\w+/.exec(field)?.[0] as string, field.replace(/^\w+/, ''));
  }
}
